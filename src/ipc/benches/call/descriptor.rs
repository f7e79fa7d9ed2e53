//! Bytes passed as a descriptor of sealed memory, which a runtime could do instead of sending them: `doc/adr/0005`.

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

use crate::child;
use crate::meter::{Row, rounds};

/// Memory of a page.
const PAGE: usize = 4096;

/// Answers a size with memory of as many bytes.
pub fn serve() {
    let mut stream = child::input();
    let mut size = [0; 8];
    let mut bytes = Vec::new();
    while stream.read_exact(&mut size).is_ok() {
        bytes.resize(u64::from_le_bytes(size) as usize, b'x');
        let memory = memfd_create("bytes", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        let mut file = File::from(memory);
        file.write_all(&bytes).unwrap();
        // Else the reader's bytes could change or go away under it.
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = SendAncillaryBuffer::new(&mut space);
        let descriptors = [file.as_fd()];
        assert!(along.push(SendAncillaryMessage::ScmRights(&descriptors)));
        sendmsg(&stream, &[IoSlice::new(&[0])], &mut along, SendFlags::empty()).unwrap();
    }
}

/// Asks for memory of `length` bytes so many times, and looks at every page of it.
pub fn calls(count: usize, length: usize) -> Row {
    let (mut other, mut stream) = child::start("descriptor-child", &[]);
    let row = rounds(other.id(), count, || {
        stream.write_all(&(length as u64).to_le_bytes()).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut along, RecvFlags::CMSG_CLOEXEC).unwrap();
        let memory = along.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        look_at(&memory.unwrap(), length);
    });
    drop(stream);
    other.wait().unwrap();
    row
}

#[allow(unsafe_code, reason = "maps memory, as a runtime that passed descriptors would have to")]
fn look_at(memory: &OwnedFd, length: usize) {
    // SAFETY: a new mapping of memory that is sealed, of its length, which is gone before this returns.
    unsafe {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        let start = mmap(std::ptr::null_mut(), length, ProtFlags::READ, flags, memory, 0).unwrap();
        let bytes = std::slice::from_raw_parts(start.cast::<u8>(), length);
        assert!(bytes.iter().step_by(PAGE).all(|byte| *byte == b'x'));
        munmap(start, length).unwrap();
    }
}
