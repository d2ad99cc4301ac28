//! Where documents go: standard output, a folder, or OpenSearch.

use crate::Context;
use crate::environment;
use crate::error::{Error, Trouble};
use crate::terminal::Ui;
use crate::text::{count, cut, one_line};
use anyhow::Context as _;
use pipeline::Pipeline;
use serde_json::{Value, json};
use simulator::destination::{Destination, Folder, OpenSearch, Settings, Summary};

/// Documents and bytes that are sent at once.
const BATCH_DOCUMENTS_MAX: usize = 5_000;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Characters of a refused document that are shown.
const EXAMPLE_WIDTH: usize = 160;

/// Where documents go.
pub(crate) enum Sink {
    /// Standard output, one document a line.
    Output,
    /// Nowhere: something else is shown.
    None,
    /// A folder or OpenSearch, batch by batch.
    Elsewhere(Box<Elsewhere>),
}

/// A folder or OpenSearch.
pub(crate) struct Elsewhere {
    destination: Destination,
    /// Open documents of each route.
    open: Vec<Vec<Vec<u8>>>,
    streams: Vec<String>,
    bytes: usize,
    documents: usize,
    /// For people.
    name: String,
}

impl Sink {
    /// What `--sink` names: `-`, a folder, or a URL.
    pub(crate) fn open(named: &str, insecure: bool, pipeline: &Pipeline) -> Result<Sink, Error> {
        if named == "-" {
            return Ok(Sink::Output);
        }
        if let Some((scheme, _)) = named.split_once("://").filter(|_| !is_url(named)) {
            let what = "`-`, a folder, or the http:// or https:// URL of an OpenSearch";
            return Err(Error::usage(format!("--sink {named}: there is no sink for {scheme}; name {what}")));
        }
        let (destination, name) = if is_url(named) {
            (opensearch(named, insecure)?, "OpenSearch".to_owned())
        } else {
            (Destination::Folder(Folder::new(named)), named.to_owned())
        };
        let streams: Vec<String> = pipeline.routes.iter().map(|route| route.stream.clone()).collect();
        let open = streams.iter().map(|_| Vec::new()).collect();
        Ok(Sink::Elsewhere(Box::new(Elsewhere { destination, open, streams, bytes: 0, documents: 0, name })))
    }

    /// Takes one document.
    pub(crate) fn put(&mut self, context: &mut Context, route: u16, mut document: Vec<u8>) -> Result<(), Error> {
        match self {
            Sink::None => Ok(()),
            Sink::Output => {
                document.push(b'\n');
                context.ui.data(&document)
            }
            Sink::Elsewhere(elsewhere) => {
                elsewhere.bytes += document.len();
                elsewhere.documents += 1;
                elsewhere.open[usize::from(route)].push(document);
                if elsewhere.bytes >= BATCH_BYTES_MAX || elsewhere.documents >= BATCH_DOCUMENTS_MAX {
                    return elsewhere.send(context);
                }
                Ok(())
            }
        }
    }

    /// Sends what is left, and says what became of all.
    pub(crate) fn finish(&mut self, context: &mut Context) -> Result<Option<Summary>, Error> {
        let Sink::Elsewhere(elsewhere) = self else { return Ok(None) };
        elsewhere.send(context)?;
        Ok(Some(elsewhere.destination.summary()))
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        match self {
            Sink::Output => "standard output",
            Sink::None => "nowhere",
            Sink::Elsewhere(elsewhere) => &elsewhere.name,
        }
    }
}

impl Elsewhere {
    fn send(&mut self, context: &Context) -> Result<(), Error> {
        for (stream, open) in self.streams.iter().zip(&mut self.open) {
            if open.is_empty() {
                continue;
            }
            let documents = std::mem::take(open);
            let sent = self.destination.deliver(stream, documents.iter().map(Vec::as_slice));
            context
                .runtime
                .block_on(sent)
                .with_context(|| format!("deliver documents to {}", self.name))
                .or_outside()?;
        }
        (self.bytes, self.documents) = (0, 0);
        Ok(())
    }
}

fn is_url(named: &str) -> bool {
    named.starts_with("http://") || named.starts_with("https://")
}

/// OpenSearch at a URL; user and password stand in it or in the environment.
pub(crate) fn opensearch(url: &str, insecure: bool) -> Result<Destination, Error> {
    if !is_url(url) {
        return Err(Error::usage("the URL of OpenSearch begins with http:// or https://"));
    }
    let login = environment::opensearch_login();
    let settings =
        Settings { url: url.to_owned(), login, insecure, failed_folder: None, clock: simulator::system_clock() };
    Ok(Destination::OpenSearch(OpenSearch::new(settings).or_usage()?))
}

/// Tells people what a destination did.
pub(crate) fn show_summary(ui: &mut Ui, name: &str, summary: &Summary) -> Result<(), Error> {
    let paint = ui.note_paint();
    let verb = if name == "OpenSearch" { "indexed" } else { "written" };
    let refused = match summary.refused {
        0 => String::new(),
        refused => format!(", {}", paint.red(&format!("{refused} refused"))),
    };
    ui.note(format!("{name}: {} {verb}{refused}", count(summary.indexed, "document")))?;
    for (reason, refused) in &summary.reasons {
        ui.note(format!("  {reason}: {}; for example", refused.count))?;
        ui.note(format!("    {}", cut(&one_line(&refused.message), EXAMPLE_WIDTH)))?;
        ui.note(format!("    {}", paint.dim(&cut(&one_line(&refused.document), EXAMPLE_WIDTH))))?;
    }
    Ok(())
}

/// The same, for programs.
pub(crate) fn summary_json(name: &str, summary: &Summary) -> Value {
    let reason = |(kind, refused): (&String, &simulator::destination::Refused)| {
        (kind.clone(), json!({"count": refused.count, "message": refused.message, "document": refused.document}))
    };
    let reasons: serde_json::Map<String, Value> = summary.reasons.iter().map(reason).collect();
    json!({"to": name, "indexed": summary.indexed, "refused": summary.refused, "reasons": reasons})
}
