//! Emits the client's methods whose calls are a stream: `-> Sent` in the trait, `-> stream` in the schema.

use super::emit::Glue;
use super::matching::Pair;
use super::methods::Args;

impl Glue<'_> {
    /// Emits a method that returns when the call has left, and its asynchronous form.
    pub(super) fn client_stream(
        &mut self,
        name: &str,
        table_row: &str,
        context: bool,
        pair: &Pair<'_>,
    ) -> (String, String) {
        let method = &pair.native.name;
        let label = format!("{name}::{method}");
        if !context {
            // The thread of calls without context is for those that end others.
            let (interface, theirs) = (&pair.interface.display, &pair.schema.name);
            self.error(format!("{label} is a stream, but {interface}.{theirs} takes no context"));
        }
        let args = self.client_args(&label, context, pair);
        let draft = args.draft(pair);
        let Args { owned, passed, show, .. } = args;
        let wait = format!(
            "fn {method}(&self{owned}) -> interfaces::Result<()> {{ let method = &{table_row};\n\
             convert::call(method, || {{ let draft = Self::draft_{method}(Who::Lane{passed})?;\n\
             self.proxy.send(method, draft, |text| {{ {show} Ok(()) }}) }}) }}\n"
        );
        let start = format!(
            "{draft}\
             /// Sends a call of [`interfaces::{name}::{method}`] now; the future is room for the next.\n\
             pub fn {method}_async(&self{owned}) -> impl Future<Output = interfaces::Result<()>> + Send + use<> {{\n\
             let method = &{table_row};\n\
             let sent = Self::draft_{method}(Who::Lane{passed})\
             .and_then(|draft| self.proxy.start_send(method, draft, |text| {{ {show} Ok(()) }}));\n\
             async move {{ let room = match sent {{ Ok(room) => room.await, Err(error) => Err(error) }};\n\
             convert::call(method, || room) }} }}\n"
        );
        (wait, start)
    }
}
