//! Emits how values made of others cross: lists, sets, maps, tuples, and options and results that are no field.
//!
//! | in a trait | in a schema |
//! |---|---|
//! | list, set | a list; an element twice in a set is refused |
//! | map | a list of structs of two fields, the first the key; a key twice is refused |
//! | tuple | a struct with as many fields, by their order |
//! | option inside of another value | a struct with a field `value` |
//! | result inside of another value | a struct with a field `error`, and `result` unless that is `()` |

use super::emit::{Glue, Place, Slot};
use super::matching::Fields;
use super::native::Ty;
use super::{capital, schema};

/// The fields of a struct by their order, without those that say whether another is there.
fn in_order(of: &schema::Struct) -> Vec<&schema::Field> {
    let is_flag = |field: &schema::Field| {
        field.ty == schema::Ty::Bool
            && of.fields.iter().any(|other| field.name == format!("has{}", capital(&other.name)))
    };
    of.fields.iter().filter(|field| !is_flag(field)).collect()
}

impl Glue<'_> {
    /// Code that puts `value`, a reference to a container, in its place.
    pub(super) fn set_container(
        &mut self,
        place: &Place,
        slot: Slot<'_>,
        value: &str,
        ty: &Ty,
        other: &schema::Ty,
    ) -> String {
        let root = std::mem::take(&mut self.root);
        let code = self.set_parts(place, slot, value, ty, other);
        self.root = root;
        code
    }

    fn set_parts(&mut self, place: &Place, slot: Slot<'_>, value: &str, ty: &Ty, other: &schema::Ty) -> String {
        match (ty, other) {
            (Ty::List(inner) | Ty::Set(_, inner), schema::Ty::List(element)) => {
                let set = self.set(place, Slot::Element, "item", inner, element);
                format!(
                    "{{ let items = {value}; let mut list = {}; \
                     for (index, item) in items.iter().enumerate() {{ let index = index as u32; {set} }} }}",
                    slot.list("items.len() as u32")
                )
            }
            (Ty::Map(_, key, item), schema::Ty::List(element)) => {
                let Some((set, _)) = self.parts(place, ty, &[key, item], &["key", "item"], element) else {
                    return String::new();
                };
                format!(
                    "{{ let items = {value}; let mut list = {}; \
                     for (index, (key, item)) in items.iter().enumerate() {{ \
                     let mut out = list.reborrow().get(index as u32); {set} }} }}",
                    slot.list("items.len() as u32")
                )
            }
            (Ty::Tuple(inner), schema::Ty::Struct(_)) => {
                let names: Vec<_> = (0..inner.len()).map(|index| format!("part_{index}")).collect();
                let pattern = format!("({},)", names.join(", "));
                let (inner, names) = (inner.iter().collect::<Vec<_>>(), names.iter().map(String::as_str));
                let Some((set, _)) = self.parts(place, ty, &inner, &names.collect::<Vec<_>>(), other) else {
                    return String::new();
                };
                format!("{{ let {pattern} = {value}; let mut out = {}; {set} }}", slot.structure())
            }
            (Ty::Option(_), schema::Ty::Struct(id)) => {
                let Some(holder) = self.schema.structs.get(id) else { return String::new() };
                let mut fields = Fields::new(holder);
                let set = self.set_key(&mut fields, "value", &place.label, "item", ty);
                fields.finish(&place.label, self);
                format!("{{ let item = {value}; let mut out = {}; {set} }}", slot.structure())
            }
            (Ty::Result(ok, err), schema::Ty::Struct(id)) => {
                let Some(holder) = self.schema.structs.get(id) else { return String::new() };
                let mut fields = Fields::new(holder);
                let set = self.set_result(&mut fields, &place.label, "item", ok, err);
                fields.finish(&place.label, self);
                format!("{{ let item = {value}; let mut out = {}; {set} }}", slot.structure())
            }
            _ => {
                self.mismatch(place, ty, other);
                String::new()
            }
        }
    }

    /// An expression that converts `from`, what a getter or a list element gave, to a container.
    pub(super) fn get_container(&mut self, place: &Place, from: &str, ty: &Ty, other: &schema::Ty) -> String {
        let label = &place.label;
        match (ty, other) {
            (Ty::List(inner) | Ty::Set(_, inner), schema::Ty::List(element)) => {
                let fallible = element.is_pointer() && !matches!(**element, schema::Ty::Struct(_));
                let item = if fallible || matches!(**element, schema::Ty::Enum(_)) { "item?" } else { "item" };
                let get = self.get(place, item, inner, element);
                match ty {
                    Ty::Set(kind, _) => format!(
                        "{{ let list = {from}; let mut items = std::collections::{kind}::new(); \
                         for item in list.iter() {{ convert::once(items.insert({get}), {label:?})?; }} items }}"
                    ),
                    _ => format!(
                        "{{ let list = {from}; let mut items = Vec::with_capacity(list.len() as usize); \
                         for item in list.iter() {{ items.push({get}); }} items }}"
                    ),
                }
            }
            (Ty::Map(kind, key, item), schema::Ty::List(element)) => {
                let Some((_, get)) = self.parts(place, ty, &[key, item], &["key", "item"], element) else {
                    return String::new();
                };
                format!(
                    "{{ let list = {from}; let mut items = std::collections::{kind}::new(); \
                     for from in list.iter() {{ let (key, item) = ({get}); \
                     convert::once(items.insert(key, item).is_none(), {label:?})?; }} items }}"
                )
            }
            (Ty::Tuple(inner), schema::Ty::Struct(_)) => {
                let inner: Vec<_> = inner.iter().collect();
                match self.parts(place, ty, &inner, &vec![""; inner.len()], other) {
                    Some((_, get)) => format!("{{ let from = {from}; ({get}) }}"),
                    None => String::new(),
                }
            }
            (Ty::Option(_), schema::Ty::Struct(id)) => {
                let Some(holder) = self.schema.structs.get(id) else { return String::new() };
                let get = self.get_key(&mut Fields::new(holder), "value", label, ty);
                format!("{{ let from = {from}; {get} }}")
            }
            (Ty::Result(ok, err), schema::Ty::Struct(id)) => {
                let Some(holder) = self.schema.structs.get(id) else { return String::new() };
                let get = self.get_result(&mut Fields::new(holder), label, ok, err);
                format!("{{ let from = {from}; {get} }}")
            }
            _ => {
                self.mismatch(place, ty, other);
                String::new()
            }
        }
    }

    /// Code that sets the fields of a struct, by their order, from `values`, and expressions that read them.
    fn parts(
        &mut self,
        place: &Place,
        ty: &Ty,
        inner: &[&Ty],
        values: &[&str],
        other: &schema::Ty,
    ) -> Option<(String, String)> {
        let schema::Ty::Struct(id) = other else {
            let place = Place { label: place.label.clone(), other: format!("an element of {}", place.other) };
            self.mismatch(&place, ty, other);
            return None;
        };
        let of = self.schema.structs.get(id)?;
        let theirs = in_order(of);
        if theirs.len() != inner.len() {
            self.error(format!("{} is {ty}, but {} has {} fields", place.label, of.display, theirs.len()));
            return None;
        }
        let (mut set, mut get) = (String::new(), String::new());
        let mut fields = Fields::new(of);
        for ((ty, value), field) in inner.iter().zip(values).zip(theirs) {
            set += &self.set_key(&mut fields, &field.name, &place.label, value, ty);
            get += &self.get_key(&mut fields, &field.name, &place.label, ty);
            get += ", ";
        }
        Some((set, get))
    }

    /// Code that sets `result` or `error` of the builder `out` from `value`, a reference.
    pub(super) fn set_result(
        &mut self,
        fields: &mut Fields<'_>,
        label: &str,
        value: &str,
        ok: &Ty,
        err: &Ty,
    ) -> String {
        let set_ok = match ok {
            Ty::Unit => String::new(),
            ok => self.set_key(fields, "result", label, "value", ok),
        };
        let set_err = self.set_key(fields, "error", label, "Some(error)", &Ty::Option(Box::new(err.clone())));
        format!("match {value} {{ Ok(value) => {{ {set_ok} }} Err(error) => {{ {set_err} }} }}\n")
    }

    /// An expression that reads a result from `from`.
    pub(super) fn get_result(&mut self, fields: &mut Fields<'_>, label: &str, ok: &Ty, err: &Ty) -> String {
        let get_ok = match ok {
            Ty::Unit => "()".to_owned(),
            ok => self.get_key(fields, "result", label, ok),
        };
        let get_err = self.get_key(fields, "error", label, &Ty::Option(Box::new(err.clone())));
        format!("match {get_err} {{ Some(error) => Err(error), None => Ok({get_ok}) }}")
    }
}
