//! Emits, for each interface, its method table, its client and its server.

use std::fmt::Write;

use super::emit::Glue;
use super::matching::{self, Fields, Pair};
use super::native::{self, Concrete, Ty};
use super::types::is_secret;
use super::{schema, snake};

/// Methods whose results never appear in the trace.
const SECRET_RESULTS: &[(&str, &str)] = &[("Rpc", "execute_rpc"), ("WalletLoader", "execute_rpc")];

/// Arguments that are secret depending on what they hold: method, argument.
const GUARDED_ARGS: &[(&str, &str)] = &[("Rpc::execute_rpc", "request")];

/// What the code of a method depends on beside the method.
struct Of<'a> {
    /// Methods that have a form in the trait whose result is a future.
    started: &'a [String],
    /// Some method of the interface is a stream.
    streams: bool,
}

/// Code for a method's arguments, each piece a list of all.
#[derive(Default)]
pub(super) struct Args {
    /// Declarations by value and by reference.
    pub owned: String,
    pub borrowed: String,
    /// References to values, and references.
    pub passed: String,
    pub moved: String,
    /// Sets the parameters.
    build: String,
    /// Prints them for the trace.
    pub show: String,
}

impl Args {
    /// The function that writes them.
    pub(super) fn draft(&self, pair: &Pair<'_>) -> String {
        let Args { borrowed, build, .. } = self;
        let (method, module) = (&pair.native.name, pair.module());
        format!(
            "fn draft_{method}(who: Who{borrowed}) -> Result<Draft, Error> {{ let mut draft = Draft::new(); \
             {{ let exports = &draft.exports(); let mut out = draft.root::<{module}_params::Owned>();\n{build}}}\n\
             Ok(draft) }}\n"
        )
    }
}

impl Pair<'_> {
    /// Beginning of the paths of the modules of parameters and results.
    fn module(&self) -> String {
        format!("{}::{}", self.interface.module, snake(&self.schema.name))
    }
}

impl<'a> Glue<'a> {
    /// Emits everything for one trait and its interface.
    pub fn interface(&mut self, found: &native::Trait, interface: &schema::Interface) {
        let mut errors = Vec::new();
        let pairs = matching::methods(self.schema, found, interface, &mut errors);
        errors.into_iter().for_each(|error| self.error(error));
        let name = &found.name;
        let table = snake(name).to_uppercase();

        let mut rows = String::new();
        let (mut client, mut starts) = (String::new(), String::new());
        let (mut serve, mut server) = (String::new(), String::new());
        let all = matching::flatten(self.schema, interface);
        let of = Of { started: &found.started, streams: all.iter().any(|(_, method)| method.stream) };
        for (index, ((owner, method), pair)) in all.iter().zip(&pairs).enumerate() {
            let context = self.has_context(owner, method);
            let kind = match method.name.as_str() {
                "construct" => "Construct",
                "destroy" => "Destroy",
                _ if method.stream => "Stream",
                _ => "Call",
            };
            writeln!(
                rows,
                "Method {{ name: \"{name}.{}\", interface_id: {:#x}, ordinal: {}, kind: Kind::{kind}, \
                 context: {context} }},",
                method.name, owner.wire_id, method.ordinal
            )
            .expect("writing to a string");
            if let Some(pair) = pair {
                let row = format!("{table}.methods[{index}]");
                let (wait, start) = match method.stream {
                    true => self.client_stream(name, &row, context, pair),
                    false => self.client_method(name, &row, context, &of, pair),
                };
                client += &wait;
                starts += &start;
                server += &self.server_method(name, context, pair);
                writeln!(serve, "{index} => self.serve_{}(call),", pair.native.name).expect("writing to a string");
            }
        }
        self.line(&format!(
            "/// Method table of [`interfaces::{name}`].\n\
             pub static {table}: Interface = Interface {{ name: \"{name}\", methods: &[\n{rows}] }};\n\n\
             /// [`interfaces::{name}`] in another process.\n\
             pub struct {name}Client {{ proxy: Proxy }}\n\
             impl {name}Client {{\n\
             /// Takes an object of another process to be a [`interfaces::{name}`].\n\
             pub fn connect(object: Object) -> Arc<dyn interfaces::{name}> {{ {name}Client::client(object) }}\n\
             pub(crate) fn client(object: Object) -> Arc<{name}Client> {{ \
             Arc::new({name}Client {{ proxy: Proxy::new(object, &{table}) }}) }}\n\
             {starts}}}\n\
             impl interfaces::{name} for {name}Client {{\n{client}}}\n\n\
             /// A local [`interfaces::{name}`] as other processes call it.\n\
             pub struct {name}Server {{ object: Arc<dyn interfaces::{name}> }}\n\
             impl {name}Server {{\n\
             /// Serves `object`.\n\
             pub fn new(object: Arc<dyn interfaces::{name}>) -> Self {{ {name}Server {{ object }} }}\n{server}}}\n\
             impl Service for {name}Server {{\n\
             fn interface(&self) -> &'static Interface {{ &{table} }}\n\
             fn serve(&self, method: usize, call: &mut ServerCall<'_>) -> Result<(), Error> {{ \
             interfaces::serve_caller(convert::caller(call), || match method {{\n\
             {serve}_ => Err(Error::Unsupported(format!(\"{name} method {{method}}\"))) }}) }}\n}}\n\
             impl Show for Arc<dyn interfaces::{name}> {{ fn show(&self, text: &mut Short) -> fmt::Result {{ \
             text.write_str(\"<{name}>\") }} }}\n"
        ));
    }

    /// Says whether the method's first parameter is a context; reports one elsewhere.
    fn has_context(&mut self, owner: &schema::Interface, method: &schema::Method) -> bool {
        let Some(params) = self.schema.structs.get(&method.params) else { return false };
        let Some(field) = params.fields.iter().find(|field| field.name == "context") else { return false };
        let is_context = match &field.ty {
            schema::Ty::Struct(id) => self.schema.structs.get(id).is_some_and(|found| found.name == "Context"),
            _ => false,
        };
        if !is_context || field.offset != 0 {
            self.error(format!("{}.{}: context must be a Proxy.Context and come first", owner.display, method.name));
        }
        is_context
    }

    /// Emits a method of the client, which waits, and what it is made of beside its asynchronous form.
    fn client_method(
        &mut self,
        name: &str,
        table_row: &str,
        context: bool,
        of: &Of<'_>,
        pair: &Pair<'_>,
    ) -> (String, String) {
        let native = pair.native;
        let label = format!("{name}::{}", native.name);
        let Some(results) = self.schema.structs.get(&pair.schema.results) else { return Default::default() };
        let module = pair.module();
        let args = self.client_args(&label, context, pair);
        let (method, draft) = (&native.name, args.draft(pair));
        let Args { owned, borrowed, passed, moved, show, .. } = &args;

        let read = self.read_results(results, &label, &native.result);
        self.concrete = true;
        let read_concrete = self.read_results(results, &label, &native.result);
        self.concrete = false;
        let (result, concrete) = (native.result.to_string(), Concrete(&native.result).to_string());
        let reader = |name: &str, result: &str, read: &str| {
            format!(
                "fn {name}_{method}(reply: &Incoming) -> Result<{result}, Error> {{ let imports = reply.imports(); \
                 let from = reply.root::<{module}_results::Owned>()?;\n{read} }}\n"
            )
        };
        let (mut readers, mut read_started) = (reader("read", &result, &read), "read");
        if concrete != result {
            readers += &reader("read_client", &concrete, &read_concrete);
            read_started = "read_client";
        }
        // The errors of a stream show at the latest in what comes after it.
        let (streamed, check) =
            if of.streams { ("let streamed = self.proxy.streamed();\n", "streamed.check()?; ") } else { ("", "") };
        let mut wait = format!(
            "fn {method}(&self{owned}) -> interfaces::Result<{result}> {{ let method = &{table_row};\n{streamed}\
             convert::call(method, || {{ let draft = Self::draft_{method}(Who::Thread{passed})?;\n\
             let reply = self.proxy.call(method, draft, |text| {{ {show} Ok(()) }})?; {check}\
             Self::read_{method}(&reply) }}) }}\n"
        );
        if of.started.contains(method) {
            wait += &format!(
                "fn {method}_async(&self{borrowed}) -> Option<interfaces::BoxFuture<{result}>> {{ \
                 Some(Box::pin(self.start_{method}({}))) }}\n",
                moved.trim_start_matches(", ")
            );
        }
        let (args, future) = (
            passed.trim_start_matches(", "),
            format!("impl Future<Output = interfaces::Result<{concrete}>> + Send + use<>"),
        );
        let start = format!(
            "{draft}{readers}\
             /// Starts [`interfaces::{name}::{method}`]; the future is its result, and dropping it cancels the call.\n\
             pub fn {method}_async(&self{owned}) -> {future} {{ self.start_{method}({args}) }}\n\
             fn start_{method}(&self{borrowed}) -> {future} {{\n\
             let method = &{table_row};\n{streamed}\
             let started = Self::draft_{method}(self.proxy.starter(){moved})\
             .map(|draft| self.proxy.start(method, draft, |text| {{ {show} Ok(()) }}));\n\
             async move {{ let answer = match started {{ Ok(reply) => reply.await, Err(error) => Err(error) }};\n\
             convert::call(method, || {{ let reply = answer?; {check}Self::{read_started}_{method}(&reply) }}) }} }}\n"
        );
        (wait, start)
    }

    /// Takes apart what a method of the client is given.
    pub(super) fn client_args(&mut self, label: &str, context: bool, pair: &Pair<'_>) -> Args {
        let mut args = Args::default();
        let Some(params) = self.schema.structs.get(&pair.schema.params) else { return args };
        let mut fields = Fields::new(params);
        if context {
            fields.take("context");
            args.build += "let context = out.reborrow().init_context();\n\
                           match who { Who::Thread => exports.context(context), \
                           Who::Lane => exports.lane_context(context), Who::Pool => {} }\n";
        }
        for (index, arg) in pair.native.args.iter().enumerate() {
            let at = format!("{label}({})", arg.name);
            write!(args.owned, ", {}: {}", arg.name, arg.ty).expect("writing to a string");
            write!(args.borrowed, ", {}: &{}", arg.name, arg.ty).expect("writing to a string");
            write!(args.passed, ", &{}", arg.name).expect("writing to a string");
            write!(args.moved, ", {}", arg.name).expect("writing to a string");
            self.root = true;
            args.build += &self.set_field(&mut fields, &arg.name, &at, &arg.name, &arg.ty);
            self.root = false;
            args.show += &show_arg(index, label, &arg.name);
        }
        fields.finish(label, self);
        args
    }

    fn server_method(&mut self, name: &str, context: bool, pair: &Pair<'_>) -> String {
        let Pair { native, schema: method, .. } = pair;
        let label = format!("{name}::{}", native.name);
        let (Some(params), Some(results)) =
            (self.schema.structs.get(&method.params), self.schema.structs.get(&method.results))
        else {
            return String::new();
        };
        let module = pair.module();
        let mut fields = Fields::new(params);
        if context {
            fields.take("context");
        }
        let (mut read, mut show, mut args) = (String::new(), String::new(), Vec::new());
        for (index, arg) in native.args.iter().enumerate() {
            let at = format!("{label}({})", arg.name);
            let get = self.get_field(&mut fields, &arg.name, &at, &arg.ty);
            writeln!(read, "let {}: {} = {get};", arg.name, arg.ty).expect("writing to a string");
            show += &show_arg(index, &label, &arg.name);
            args.push(arg.name.as_str());
        }
        let args = args.join(", ");
        let build = match method.stream {
            true => String::new(),
            false => format!(
                "let draft = call.results(); let exports = &draft.exports();\n\
                 let mut out = draft.root::<{module}_results::Owned>();\n{}",
                self.build_results(results, &label, &native.result)
            ),
        };
        let result = if SECRET_RESULTS.contains(&(name, &native.name)) {
            "call.trace_result(|text| text.write_str(redact::HIDDEN));"
        } else {
            "call.trace_result(|text| result.show(text));"
        };
        format!(
            "fn serve_{0}(&self, call: &mut ServerCall<'_>) -> Result<(), Error> {{\n\
             let params = call.params(); let imports = params.imports();\n\
             let from = params.root::<{module}_params::Owned>()?;\n{read}\
             call.trace_request(|text| {{ {show} Ok(()) }});\n\
             let result = self.object.{0}({args}).map_err(convert::refuse)?;\n{result}\n{build}Ok(()) }}\n",
            native.name
        )
    }

    /// The struct whose fields are the method's results one by one, where there is no result that is the struct.
    fn spread(&self, results: &schema::Struct, ty: &Ty) -> Option<&'a native::Struct> {
        let Ty::Named(name) = ty else { return None };
        let whole = results.fields.iter().find(|field| field.name == "result");
        if whole.is_some_and(|field| matches!(field.ty, schema::Ty::Struct(_) | schema::Ty::Enum(_))) {
            return None;
        }
        let native = self.native;
        native.structs.iter().find(|known| known.name == *name)
    }

    /// Code that fills the results `out` from `result`.
    fn build_results(&mut self, results: &schema::Struct, label: &str, ty: &Ty) -> String {
        let mut fields = Fields::new(results);
        self.root = true;
        let code = match ty {
            Ty::Unit => String::new(),
            Ty::Result(ok, err) if is_given(ok) => {
                let set_ok = self.set_field(&mut fields, "result", label, "value", ok);
                let set_err = self.set_field(&mut fields, "error", label, "error", err);
                format!(
                    "match result {{ Ok(value) => {{ {set_ok} }} Err(error) => {{ let error = &error; {set_err} }} }}\n"
                )
            }
            Ty::Result(ok, err) => self.set_result(&mut fields, label, "&result", ok, err),
            ty => match self.spread(results, ty) {
                Some(found) => {
                    self.show_struct(found);
                    self.set_all(&mut fields, found, "&result")
                }
                None => {
                    let set = self.set_field(&mut fields, "result", label, "result", ty);
                    {
                        let lend = if is_given(ty) { "" } else { "let result = &result; " };
                        format!("{{ {lend}{set} }}\n")
                    }
                }
            },
        };
        self.root = false;
        fields.finish(&format!("the result of {label}"), self);
        code
    }

    /// Code that ends in the method's result, read from `from`.
    fn read_results(&mut self, results: &schema::Struct, label: &str, ty: &Ty) -> String {
        let mut fields = Fields::new(results);
        let code = match ty {
            Ty::Unit => "Ok(())".to_owned(),
            Ty::Result(ok, err) => format!("Ok({})", self.get_result(&mut fields, label, ok, err)),
            ty => match self.spread(results, ty) {
                Some(found) => format!("Ok({})", self.get_all(&mut fields, found)),
                None => format!("Ok({})", self.get_field(&mut fields, "result", label, ty)),
            },
        };
        fields.finish(&format!("the result of {label}"), self);
        code
    }
}

/// Says whether a result is given away to be sent, not lent to be copied.
fn is_given(ty: &Ty) -> bool {
    matches!(ty, Ty::String | Ty::Bytes | Ty::SharedBytes)
}

/// Code that prints one argument for the trace, or that it is secret.
fn show_arg(index: usize, method: &str, name: &str) -> String {
    let comma = if index == 0 { "" } else { ", " };
    let head = format!("text.write_str(\"{comma}{name}: \")?; ");
    if is_secret(name) {
        return head + "text.write_str(redact::HIDDEN)?; ";
    }
    if GUARDED_ARGS.contains(&(method, name)) {
        return format!(
            "{head}if redact::may_hold_secret(&{name}) {{ text.write_str(redact::HIDDEN)?; }} else {{ \
             {name}.show(text)?; }} "
        );
    }
    format!("{head}{name}.show(text)?; ")
}
