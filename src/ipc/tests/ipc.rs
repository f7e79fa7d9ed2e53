//! The interfaces over real connections, both ends in this process.

mod calls;
mod contract;
mod disconnect;
mod generator;
mod link;
