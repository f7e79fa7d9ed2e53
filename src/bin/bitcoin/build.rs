//! Records the build details that `-version` prints.

#[path = "../build_details.rs"]
mod build_details;

fn main() {
    build_details::emit();
}
