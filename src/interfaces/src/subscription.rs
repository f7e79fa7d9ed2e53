//! The handle that keeps a callback registered.

/// Keeps a callback registered; dropping the last reference cancels it.
///
/// After the drop returns no further callback starts; one already running may still finish. Across processes a lost
/// connection cancels it as well.
pub trait Subscription: Send + Sync {}
