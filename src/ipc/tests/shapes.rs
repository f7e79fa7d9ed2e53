//! Parameters and results as the schemas have them, filled from the bytes of an input. They are encoded here, not by the library that
//! reads them, and from the schemas' description alone: a new method takes part by itself.

use std::collections::HashMap;

use capnp::schema_capnp::{code_generator_request, field, node, type_};

/// How deep structs and lists go.
const DEPTH: u32 = 5;

/// What there is in a field, or in a list.
enum Shape {
    /// So many bits.
    Bits(u32),
    Enumerant,
    Text,
    Data,
    /// Of this interface.
    Capability(u64),
    Any,
    List(Box<Shape>),
    Struct(u64),
}

#[derive(Default)]
struct Layout {
    words: u16,
    pointers: u16,
    /// Offset and shape; those of groups are among them.
    fields: Vec<(u32, Shape)>,
}

/// The structs of the schemas, and which of them methods take and return.
#[derive(Default)]
pub struct Shapes {
    structs: HashMap<u64, Layout>,
    /// By interface and ordinal.
    methods: HashMap<(u64, u16), (u64, u64)>,
}

impl Shapes {
    /// Reads the compiler's description of the schemas.
    pub fn read(mut request: &[u8]) -> capnp::Result<Shapes> {
        let mut options = capnp::message::ReaderOptions::new();
        options.traversal_limit_in_words(None);
        let message = capnp::serialize::read_message(&mut request, options)?;
        let nodes = message.get_root::<code_generator_request::Reader<'_>>()?.get_nodes()?;
        let by_id: HashMap<u64, node::Reader<'_>> = nodes.iter().map(|node| (node.get_id(), node)).collect();
        let mut shapes = Shapes::default();
        for node in nodes {
            match node.which()? {
                node::Struct(found) => {
                    let mut layout = Layout {
                        words: found.get_data_word_count(),
                        pointers: found.get_pointer_count(),
                        ..Layout::default()
                    };
                    layout.add(found, &by_id)?;
                    shapes.structs.insert(node.get_id(), layout);
                }
                node::Interface(found) => {
                    for (ordinal, method) in (0..).zip(found.get_methods()?) {
                        let types = (method.get_param_struct_type(), method.get_result_struct_type());
                        shapes.methods.insert((node.get_id(), ordinal), types);
                    }
                }
                _ => {}
            }
        }
        Ok(shapes)
    }

    /// The object that a method returns: which pointer of the results, and its interface.
    pub fn returned(&self, method: (u64, u16)) -> Option<(u32, u64)> {
        let (_, results) = self.methods.get(&method)?;
        self.structs.get(results)?.fields.iter().find_map(|(offset, shape)| match shape {
            Shape::Capability(interface) => Some((*offset, *interface)),
            _ => None,
        })
    }

    /// Encodes parameters, or results, of a method: a segment whose first word is the pointer to them. `None` for a method that
    /// there is not.
    pub fn fill(&self, method: (u64, u16), results: bool, next: &mut dyn FnMut() -> u32) -> Option<Vec<u64>> {
        let (params, returned) = *self.methods.get(&method)?;
        let mut filling = Filling { shapes: self, words: vec![0], capabilities: 0, next };
        filling.structure(0, if results { returned } else { params }, DEPTH);
        Some(filling.words)
    }
}

impl Layout {
    fn add(&mut self, found: node::struct_::Reader<'_>, by_id: &HashMap<u64, node::Reader<'_>>) -> capnp::Result<()> {
        if found.get_discriminant_count() > 0 {
            self.fields.push((found.get_discriminant_offset(), Shape::Enumerant));
        }
        for field in found.get_fields()? {
            match field.which()? {
                field::Slot(slot) => {
                    self.fields.extend(shape(slot.get_type()?)?.map(|shape| (slot.get_offset(), shape)))
                }
                field::Group(group) => {
                    if let Some(node::Struct(inner)) =
                        by_id.get(&group.get_type_id()).and_then(|node| node.which().ok())
                    {
                        self.add(inner, by_id)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn shape(found: type_::Reader<'_>) -> capnp::Result<Option<Shape>> {
    Ok(Some(match found.which()? {
        type_::Void(()) => return Ok(None),
        type_::Bool(()) => Shape::Bits(1),
        type_::Int8(()) | type_::Uint8(()) => Shape::Bits(8),
        type_::Int16(()) | type_::Uint16(()) => Shape::Bits(16),
        type_::Int32(()) | type_::Uint32(()) | type_::Float32(()) => Shape::Bits(32),
        type_::Int64(()) | type_::Uint64(()) | type_::Float64(()) => Shape::Bits(64),
        type_::Enum(_) => Shape::Enumerant,
        type_::Text(()) => Shape::Text,
        type_::Data(()) => Shape::Data,
        type_::Interface(inner) => Shape::Capability(inner.get_type_id()),
        type_::AnyPointer(_) => Shape::Any,
        type_::Struct(inner) => Shape::Struct(inner.get_type_id()),
        type_::List(inner) => match shape(inner.get_element_type()?)? {
            Some(element) => Shape::List(Box::new(element)),
            None => Shape::Any,
        },
    }))
}

/// A segment that is being written.
struct Filling<'a> {
    shapes: &'a Shapes,
    words: Vec<u64>,
    capabilities: u64,
    next: &'a mut dyn FnMut() -> u32,
}

impl Filling<'_> {
    fn next(&mut self) -> u64 {
        (self.next)().into()
    }

    /// Room for so many words; says where.
    fn room(&mut self, words: usize) -> usize {
        let at = self.words.len();
        self.words.resize(at + words, 0);
        at
    }

    /// Writes a pointer to what is there: its kind in the lowest bits, what it is like in the upper half.
    fn point(&mut self, pointer: usize, at: usize, kind: u64, like: u64) {
        self.words[pointer] = ((at - pointer - 1) as u64) << 2 | kind | like << 32;
    }

    fn structure(&mut self, pointer: usize, id: u64, depth: u32) {
        let shapes = self.shapes;
        let Some(layout) = shapes.structs.get(&id) else { return };
        let at = self.room(usize::from(layout.words) + usize::from(layout.pointers));
        self.point(pointer, at, 0, u64::from(layout.words) | u64::from(layout.pointers) << 16);
        self.fields(at, layout, depth);
    }

    fn fields(&mut self, at: usize, layout: &Layout, depth: u32) {
        for (offset, shape) in &layout.fields {
            let (bits, value) = match shape {
                Shape::Bits(bits) => (*bits, self.number()),
                // As a rule one that there is.
                Shape::Enumerant => (16, self.next() % 8),
                shape => {
                    self.pointer(at + usize::from(layout.words) + *offset as usize, shape, depth);
                    continue;
                }
            };
            let first = offset * bits;
            let mask = u64::MAX >> (64 - bits);
            self.words[at + (first / 64) as usize] |= (value & mask) << (first % 64);
        }
    }

    fn number(&mut self) -> u64 {
        let byte = self.next();
        match byte % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => f64::NAN.to_bits(),
            3 => f64::from(byte as u32 * 100).to_bits(),
            4 => 1 << (byte / 4),
            _ => byte / 8,
        }
    }

    fn pointer(&mut self, pointer: usize, shape: &Shape, depth: u32) {
        let choice = self.next();
        // Most are there.
        if choice < 16 || depth == 0 {
            return;
        }
        match shape {
            Shape::Bits(_) | Shape::Enumerant | Shape::Any => {}
            Shape::Struct(id) => self.structure(pointer, *id, depth - 1),
            Shape::Capability(_) => {
                self.words[pointer] = 3 | self.capabilities << 32;
                self.capabilities += 1;
            }
            Shape::Text => {
                let text = if choice < 128 { vec![b'x'; (choice - 16) as usize] } else { b"main".to_vec() };
                self.bytes(pointer, &[text, vec![0]].concat());
            }
            Shape::Data => {
                // Many are hashes, and some headers.
                let count = match choice {
                    16..128 => 32,
                    128..160 => 80,
                    other => other - 160,
                };
                let byte = self.next() as u8;
                self.bytes(pointer, &vec![byte; count as usize]);
            }
            Shape::List(element) => self.list(pointer, element, choice % 4, depth - 1),
        }
    }

    fn bytes(&mut self, pointer: usize, bytes: &[u8]) {
        let at = self.room(bytes.len().div_ceil(8));
        for (index, byte) in bytes.iter().enumerate() {
            self.words[at + index / 8] |= u64::from(*byte) << (index % 8 * 8);
        }
        self.point(pointer, at, 1, 2 | (bytes.len() as u64) << 3);
    }

    fn list(&mut self, pointer: usize, element: &Shape, count: u64, depth: u32) {
        let shapes = self.shapes;
        match element {
            Shape::Bits(1) | Shape::Any => {}
            Shape::Bits(_) | Shape::Enumerant => {
                let bits = if let Shape::Bits(bits) = element { *bits } else { 16 };
                let at = self.room(count as usize);
                for index in 0..count as usize {
                    self.words[at + index] = self.number();
                }
                // As many as have room in the words.
                self.point(pointer, at, 1, u64::from(bits.ilog2() - 1) | (count * 64 / u64::from(bits)) << 3);
            }
            Shape::Struct(id) => {
                let Some(layout) = shapes.structs.get(id) else { return };
                let size = usize::from(layout.words) + usize::from(layout.pointers);
                let at = self.room(1 + size * count as usize);
                self.words[at] = count << 2 | u64::from(layout.words) << 32 | u64::from(layout.pointers) << 48;
                self.point(pointer, at, 1, 7 | (size as u64 * count) << 3);
                for index in 0..count as usize {
                    self.fields(at + 1 + index * size, layout, depth);
                }
            }
            shape => {
                let at = self.room(count as usize);
                self.point(pointer, at, 1, 6 | count << 3);
                for index in 0..count as usize {
                    self.pointer(at + index, shape, depth);
                }
            }
        }
    }
}
