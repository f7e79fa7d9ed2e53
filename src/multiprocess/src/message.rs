//! Parameters and results as values that move between threads.
//!
//! Everything that knows a schema works on these, on the thread that calls or serves; the event loop only copies them
//! into and out of the RPC system's own messages, whatever their type. Long ones without objects it does not even copy: they
//! are read where they arrived, and sent from where they were written.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use capnp::any_pointer;
use capnp::message::{Builder, HeapAllocator, Reader, ReaderOptions};
use capnp::private::capability::ClientHook;
use capnp::serialize::{OwnedSegments, read_message};
use capnp::traits::{FromPointerBuilder, FromPointerReader, Imbue, ImbueMut, Owned};

use capnp_rpc::rpc_capnp;

use crate::attachment::{Attachment, tie_below};
use crate::network::{Along, Channel, LONG};
use crate::outgoing::Queued;
use crate::segments::Received;
use crate::slot::{slot, slot_index};
use crate::splice::is_struct;
use crate::{Error, Object, Service, proxy_capnp, shape_capnp};

/// Capabilities by their number in a message.
pub(crate) type CapTable = Vec<Option<Box<dyn ClientHook>>>;

/// First allocation of a message, in words: enough for most calls.
const FIRST_SEGMENT: u32 = 64;

/// Something callable that a message refers to.
#[derive(Clone)]
pub(crate) enum Cap {
    /// An object of the other side, or one reached over another connection.
    Object(Object),
    /// A local object to be served to the other side.
    Service(Arc<dyn Service>),
    /// The thread of the other side that serves the calling thread.
    RequestThread,
    /// The calling thread.
    CallbackThread,
}

/// A finished message: bytes, and what its capability pointers stand for.
pub(crate) struct Message {
    body: Body,
    pub(crate) caps: Vec<Option<Cap>>,
    /// Fields of the root that are not in `body`.
    attachments: Vec<Attachment>,
}

enum Body {
    Written(Builder<HeapAllocator>),
    /// The content of a message of the RPC system, where it arrived.
    Arrived(Reader<Received>),
    /// A message of its own.
    Gathered(Reader<OwnedSegments>),
}

impl Body {
    fn root(&self) -> Result<any_pointer::Reader<'_>, Error> {
        match self {
            Body::Written(body) => Ok(body.get_root_as_reader()?),
            Body::Gathered(message) => Ok(message.get_root()?),
            Body::Arrived(message) => payload(message)?
                .map(|payload| payload.get_content())
                .ok_or_else(|| Error::malformed("a message without content")),
        }
    }
}

/// Parameters or results in a message of the RPC system.
fn payload(message: &Reader<Received>) -> Result<Option<rpc_capnp::payload::Reader<'_>>, capnp::Error> {
    match message.get_root::<rpc_capnp::message::Reader<'_>>()?.which()? {
        rpc_capnp::message::Call(call) => call?.get_params().map(Some),
        rpc_capnp::message::Return(answer) => match answer?.which()? {
            rpc_capnp::return_::Results(payload) => payload.map(Some),
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

impl Message {
    /// Takes a message out of the RPC system, which `read` has it read. `import` turns each capability into a handle; there
    /// must not be more of them than the first of `objects`, what is left of the second.
    pub(crate) fn take<'a>(
        channel: &Channel,
        objects: (usize, usize),
        read: impl FnOnce() -> Result<any_pointer::Reader<'a>, capnp::Error>,
        import: impl FnMut(Box<dyn ClientHook>) -> Object,
    ) -> Result<Message, Error> {
        let (content, long) = channel.reading(read);
        if let Some(long) = long {
            let limits = channel.limits(&long);
            let message = Reader::new(long, limits);
            if let Some(payload) = payload(&message)?
                && payload.get_cap_table()?.is_empty()
            {
                return Ok(Message { body: Body::Arrived(message), caps: Vec::new(), attachments: Vec::new() });
            }
        }
        Self::copy(content?, objects, import)
    }

    fn copy(
        from: any_pointer::Reader<'_>,
        objects: (usize, usize),
        mut import: impl FnMut(Box<dyn ClientHook>) -> Object,
    ) -> Result<Message, Error> {
        let size = from.target_size()?;
        let (left, limit) = objects;
        if size.cap_count as usize > left {
            return Err(Error::Overloaded(format!("more than {limit} objects")));
        }
        let words = u32::try_from(size.word_count).map_err(Error::malformed)?;
        let mut body = Builder::new(HeapAllocator::new().first_segment_words(words.saturating_add(2)));
        let mut table = CapTable::new();
        let mut root: any_pointer::Builder<'_> = body.init_root();
        root.imbue_mut(&mut table);
        root.set_as::<any_pointer::Owned>(from)?;
        let caps = table.into_iter().map(|hook| hook.map(|hook| Cap::Object(import(hook)))).collect();
        Ok(Message { body: Body::Written(body), caps, attachments: Vec::new() })
    }

    /// Size in bytes, as far as it takes memory.
    pub(crate) fn size(&self) -> usize {
        let body = match &self.body {
            Body::Written(body) => body.size_in_words() * size_of::<capnp::Word>(),
            Body::Arrived(message) => message.get_segments().size(),
            Body::Gathered(message) => message.size_in_words() * size_of::<capnp::Word>(),
        };
        body + self.attachments.iter().map(Attachment::size).sum::<usize>()
    }

    /// Says whether it names the thread of the other side that serves the calling one.
    pub(crate) fn names_thread(&self) -> bool {
        self.caps.iter().any(|cap| matches!(cap, Some(Cap::RequestThread)))
    }

    /// Says whether fields of the message are elsewhere.
    pub(crate) fn has_attachments(&self) -> bool {
        !self.attachments.is_empty()
    }

    /// Splits off what is better sent from where it is than copied.
    pub(crate) fn split(mut self) -> (Message, Option<Along>) {
        if !self.attachments.is_empty() {
            let attachments = std::mem::take(&mut self.attachments);
            return (self, Some(Along::Attachments(attachments)));
        }
        match self.body {
            Body::Written(body) if self.caps.is_empty() && body.size_in_words() >= LONG / 8 && is_struct(&body) => {
                self.body = Body::Written(Builder::new(HeapAllocator::new().first_segment_words(1)));
                (self, Some(Along::Content(Box::new(body))))
            }
            _ => (self, None),
        }
    }

    /// Undoes [`Self::split`] for a message that is to be copied after all.
    pub(crate) fn join(mut self, along: Along) -> Result<Message, Error> {
        match along {
            Along::Content(content) => self.body = Body::Written(*content),
            Along::Attachments(attachments) => self.attachments = attachments,
        }
        self.gather()
    }

    /// Brings fields that are elsewhere into the message.
    pub(crate) fn gather(mut self) -> Result<Message, Error> {
        let attachments = std::mem::take(&mut self.attachments);
        self.body = match self.body {
            Body::Written(body) if !attachments.is_empty() => {
                let patches = tie_below(&body, &[], &attachments);
                let patches = patches.ok_or_else(|| Error::failed("a field in no place of its message"))?;
                let bytes = Queued::attached(Rc::new(body), patches, attachments).to_vec();
                let limits = ReaderOptions { traversal_limit_in_words: None, nesting_limit: i32::MAX };
                Body::Gathered(read_message(bytes.as_slice(), limits)?)
            }
            body => body,
        };
        Ok(self)
    }

    /// The message as the RPC system copies it; `table` holds the capabilities `caps` stand for.
    pub(crate) fn reader<'a>(&'a self, table: &'a CapTable) -> Result<any_pointer::Reader<'a>, Error> {
        let mut root = self.body.root()?;
        root.imbue(table);
        Ok(root)
    }
}

/// A message being written.
pub struct Draft {
    body: Builder<HeapAllocator>,
    table: CapTable,
    exports: Exports,
}

/// Collects the objects a message being written refers to.
#[derive(Clone, Default)]
pub struct Exports(Rc<RefCell<Outside>>);

/// What a message refers to that is not in it.
#[derive(Default)]
struct Outside {
    caps: Vec<Cap>,
    attachments: Vec<Attachment>,
}

impl Draft {
    /// Starts an empty message.
    #[expect(clippy::new_without_default, reason = "a draft is not a plain value")]
    pub fn new() -> Self {
        let body = Builder::new(HeapAllocator::new().first_segment_words(FIRST_SEGMENT));
        Draft { body, table: CapTable::new(), exports: Exports::default() }
    }

    /// Returns where to put the objects the message refers to.
    pub fn exports(&self) -> Exports {
        self.exports.clone()
    }

    /// Starts the message's root; what was written before is discarded.
    pub fn root<'a, T: Owned>(&'a mut self) -> T::Builder<'a>
    where
        T::Builder<'a>: FromPointerBuilder<'a>,
    {
        let mut root: any_pointer::Builder<'a> = self.body.init_root();
        root.imbue_mut(&mut self.table);
        root.init_as()
    }

    pub(crate) fn finish(self) -> Message {
        let mut outside = self.exports.0.borrow_mut();
        let attachments = std::mem::take(&mut outside.attachments);
        let sources = &outside.caps;
        let caps = self.table.iter().map(|hook| sources.get(slot_index(hook.as_deref()?)?).cloned()).collect();
        Message { body: Body::Written(self.body), caps, attachments }
    }
}

impl Exports {
    /// Returns a pointer to a local object for the message.
    pub fn service(&self, service: Arc<dyn Service>) -> Box<dyn ClientHook> {
        self.add(Cap::Service(service))
    }

    /// Returns a pointer to an object of another process for the message.
    pub fn object(&self, object: &Object) -> Box<dyn ClientHook> {
        self.add(Cap::Object(object.clone()))
    }

    /// Fills in the context of a call made by this thread.
    pub fn context(&self, mut context: proxy_capnp::context::Builder<'_>) {
        context.set_thread(capnp::capability::FromClientHook::new(self.add(Cap::RequestThread)));
        context.set_callback_thread(capnp::capability::FromClientHook::new(self.add(Cap::CallbackThread)));
    }

    /// Fills in the context of a call that no thread waits for ([`crate::Object::start`]).
    pub fn lane_context(&self, mut context: proxy_capnp::context::Builder<'_>) {
        context.set_thread(capnp::capability::FromClientHook::new(self.add(Cap::RequestThread)));
    }

    /// Has a field of the message's root sent from where it is, without a copy. `slot` is which of the root's pointers leads
    /// to it; the field itself stays unset. A text is `bytes` without the zero byte at the end.
    ///
    /// # Errors
    /// The bytes, if they are not worth it.
    pub fn attach(&self, slot: u16, bytes: Bytes, text: bool) -> Result<(), Bytes> {
        if bytes.len() < LONG || !Attachment::fits(bytes.len()) {
            return Err(bytes);
        }
        self.0.borrow_mut().attachments.push(Attachment { slot, bytes, text });
        Ok(())
    }

    fn add(&self, cap: Cap) -> Box<dyn ClientHook> {
        let mut outside = self.0.borrow_mut();
        outside.caps.push(cap);
        slot(outside.caps.len() - 1)
    }
}

/// A message being read.
pub struct Incoming {
    body: Body,
    table: CapTable,
    imports: Imports,
}

/// What a message being read refers to: objects, and its own memory.
pub struct Imports {
    objects: Vec<Option<Object>>,
    message: Option<Received>,
}

impl Incoming {
    pub(crate) fn new(message: Message) -> Self {
        let Message { body, caps, .. } = message;
        let table = caps.iter().enumerate().map(|(index, cap)| cap.as_ref().map(|_| slot(index))).collect();
        let objects = caps.into_iter().map(|cap| match cap {
            Some(Cap::Object(object)) => Some(object),
            Some(Cap::Service(_) | Cap::RequestThread | Cap::CallbackThread) | None => None,
        });
        let message = match &body {
            Body::Arrived(message) => Some(message.get_segments().clone()),
            Body::Written(_) | Body::Gathered(_) => None,
        };
        Incoming { body, table, imports: Imports { objects: objects.collect(), message } }
    }

    /// Reads the message's root.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the message is not what its type says.
    pub fn root<'a, T: Owned>(&'a self) -> Result<T::Reader<'a>, Error>
    where
        T::Reader<'a>: FromPointerReader<'a>,
    {
        let mut root = self.body.root()?;
        root.imbue(&self.table);
        Ok(root.get_as()?)
    }

    /// Returns the objects the message refers to.
    pub fn imports(&self) -> &Imports {
        &self.imports
    }

    /// Keeps the objects alone.
    pub(crate) fn into_imports(self) -> Imports {
        Imports { message: None, ..self.imports }
    }

    /// The caller's thread, from the context of the call.
    pub(crate) fn callback_thread(&self) -> Result<Option<Object>, Error> {
        let context = self.root::<shape_capnp::with_context::Owned>()?.get_context()?;
        if !context.has_callback_thread() {
            return Ok(None);
        }
        let thread = context.get_callback_thread()?;
        self.imports.object(capnp::capability::FromClientHook::into_client_hook(thread)).map(Some)
    }
}

impl Imports {
    /// Returns bytes of the message: long ones without a copy, so that they keep the message's memory.
    pub fn bytes(&self, part: &[u8]) -> Bytes {
        let kept = self.message.as_ref().filter(|_| part.len() >= LONG);
        kept.and_then(|message| message.part(part)).unwrap_or_else(|| Bytes::copy_from_slice(part))
    }

    /// Returns the object behind a pointer of the message.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the pointer is null or no object of this message.
    pub fn object(&self, hook: Box<dyn ClientHook>) -> Result<Object, Error> {
        slot_index(hook.as_ref())
            .and_then(|index| self.objects.get(index).cloned().flatten())
            .ok_or_else(|| Error::malformed("an object is missing"))
    }
}
