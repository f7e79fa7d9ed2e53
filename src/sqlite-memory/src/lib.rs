//! Has SQLite take its memory from the program's global allocator instead of from C's.
//!
//! The programs' allocator overwrites what is freed. SQLite copies each record that it reads or writes, private keys
//! among them, and frees the copies as they are.
//!
//! Separate from the wallet, because this is unsafe code and the wallet has none.
//!
//! **Invariant:** each block has its size in front of it, in a header that keeps the block aligned to 16 bytes.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use rusqlite::ffi::{
    SQLITE_CONFIG_LOOKASIDE, SQLITE_CONFIG_MALLOC, SQLITE_CONFIG_PAGECACHE, SQLITE_OK, sqlite3_config,
    sqlite3_mem_methods,
};

/// Bytes in front of each block, and the alignment of blocks. SQLite asks for 8.
const HEADER: usize = 16;

/// Has SQLite use the global allocator from now on. To be called before anything of SQLite is used; a later call changes
/// nothing. Returns whether SQLite uses it.
pub fn install() -> bool {
    static DONE: OnceLock<bool> = OnceLock::new();
    *DONE.get_or_init(|| {
        let methods = sqlite3_mem_methods {
            xMalloc: Some(allocate),
            xFree: Some(free),
            xRealloc: Some(reallocate),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(start),
            xShutdown: Some(stop),
            pAppData: ptr::null_mut(),
        };
        // SAFETY: the methods follow SQLite's contract for them; SQLite copies the structure and, by its documentation,
        // refuses the call once it is initialised.
        let installed = unsafe { sqlite3_config(SQLITE_CONFIG_MALLOC, &raw const methods) == SQLITE_OK };
        // Small values and the first pages of a cache would go into memory that SQLite keeps to use it again.
        // SAFETY: the arguments are of the types that SQLite documents for these options.
        installed
            && unsafe {
                sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0 as c_int, 0 as c_int) == SQLITE_OK
                    && sqlite3_config(SQLITE_CONFIG_PAGECACHE, ptr::null_mut::<c_void>(), 0 as c_int, 0 as c_int)
                        == SQLITE_OK
            }
    })
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEADER)?, HEADER).ok()
}

unsafe extern "C" fn allocate(size: c_int) -> *mut c_void {
    let Some((size, layout)) = usize::try_from(size).ok().and_then(|size| Some((size, layout(size)?))) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is not empty.
    let start = unsafe { alloc(layout) };
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the block has room for the header and is aligned for it.
    unsafe {
        start.cast::<usize>().write(size);
        start.add(HEADER).cast()
    }
}

unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: SQLite hands back what `allocate` gave it, whose header holds the size it was made with.
    unsafe {
        let start = block.cast::<u8>().sub(HEADER);
        if let Some(layout) = layout(start.cast::<usize>().read()) {
            dealloc(start, layout);
        }
    }
}

unsafe extern "C" fn reallocate(block: *mut c_void, new_size: c_int) -> *mut c_void {
    // SAFETY: as in `free`; old and new block do not overlap, and as much is copied as both have.
    unsafe {
        let new = allocate(new_size);
        if !new.is_null() && !block.is_null() {
            let kept = size(block).min(new_size);
            ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), usize::try_from(kept).unwrap_or(0));
            free(block);
        }
        new
    }
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    if block.is_null() {
        return 0;
    }
    // SAFETY: as in `free`.
    let size = unsafe { block.cast::<u8>().sub(HEADER).cast::<usize>().read() };
    c_int::try_from(size).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn round_up(size: c_int) -> c_int {
    size.checked_add(7).map_or(size, |size| size & !7)
}

unsafe extern "C" fn start(_: *mut c_void) -> c_int {
    SQLITE_OK
}

unsafe extern "C" fn stop(_: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_works_with_it() {
        assert!(install());
        assert!(install());
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let sql = "CREATE TABLE t (x BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                   INSERT INTO t SELECT zeroblob(i * 20) FROM n";
        connection.execute_batch(sql).unwrap();
        let sum: i64 = connection.query_row("SELECT sum(length(x)) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 500 * 501 / 2 * 20);
    }

    #[test]
    fn blocks_keep_their_content_as_they_grow_and_shrink() {
        // SAFETY: each block is used as long as it lives and freed once.
        unsafe {
            let block = allocate(3);
            assert_eq!(block as usize % 8, 0);
            ptr::copy_nonoverlapping([1u8, 2, 3].as_ptr(), block.cast(), 3);
            let block = reallocate(block, 5000);
            assert_eq!(size(block), 5000);
            let block = reallocate(block, 2);
            assert_eq!(std::slice::from_raw_parts(block.cast::<u8>(), 2), [1, 2]);
            free(block);
            assert!(allocate(-1).is_null());
            free(ptr::null_mut());
            assert_eq!((size(ptr::null_mut()), round_up(9), round_up(16)), (0, 16, 16));
        }
    }
}
