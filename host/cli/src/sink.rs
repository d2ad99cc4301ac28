//! Where documents go: standard output, a folder, or OpenSearch.

use crate::Context;
use crate::environment;
use crate::error::{Error, Trouble};
use crate::terminal::Ui;
use crate::text::{count, cut, one_line};
use anyhow::Context as _;
use destination::{Destination, Folder, OpenSearch, Refused, Settings, Summary};
use pipeline::Pipeline;
use serde_json::{Value, json};

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
    Batched(Box<Batched>),
}

/// A destination, for people.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// What it does with documents.
    verb: &'static str,
}

impl Place {
    /// A place where documents are written.
    pub(crate) fn written(name: impl Into<String>) -> Place {
        Place { name: name.into(), verb: "written" }
    }
}

/// Documents on their way to a folder or OpenSearch.
pub(crate) struct Batched {
    destination: Destination,
    /// Open documents of each route.
    open: Vec<Vec<Vec<u8>>>,
    streams: Vec<String>,
    bytes: usize,
    documents: usize,
    place: Place,
}

impl Sink {
    /// What `--sink` names: `-`, a folder, or a URL.
    pub(crate) fn open(named: &str, insecure: bool, pipeline: &Pipeline) -> Result<Sink, Error> {
        if named == "-" {
            return Ok(Sink::Output);
        }
        let (destination, place) = destination(named, insecure)?;
        let streams: Vec<String> = pipeline.routes.iter().map(|route| route.stream.clone()).collect();
        let open = streams.iter().map(|_| Vec::new()).collect();
        Ok(Sink::Batched(Box::new(Batched { destination, open, streams, bytes: 0, documents: 0, place })))
    }

    /// Takes one document.
    pub(crate) fn put(&mut self, context: &mut Context, route: u16, mut document: Vec<u8>) -> Result<(), Error> {
        match self {
            Sink::None => Ok(()),
            Sink::Output => {
                document.push(b'\n');
                context.ui.data(&document)
            }
            Sink::Batched(batched) => {
                batched.bytes += document.len();
                batched.documents += 1;
                batched.open[usize::from(route)].push(document);
                if batched.bytes >= BATCH_BYTES_MAX || batched.documents >= BATCH_DOCUMENTS_MAX {
                    return batched.send(context);
                }
                Ok(())
            }
        }
    }

    /// Sends what is left, and says what became of all.
    pub(crate) fn finish(&mut self, context: &mut Context) -> Result<Option<Summary>, Error> {
        let Sink::Batched(batched) = self else { return Ok(None) };
        batched.send(context)?;
        Ok(Some(batched.destination.summary()))
    }

    /// What it is called, and what it does with documents.
    pub(crate) fn place(&self) -> Place {
        match self {
            Sink::Output => Place::written("standard output"),
            Sink::None => Place::written("nowhere"),
            Sink::Batched(batched) => batched.place.clone(),
        }
    }
}

impl Batched {
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
                .with_context(|| format!("deliver documents to {}", self.place.name))
                .or_outside()?;
        }
        (self.bytes, self.documents) = (0, 0);
        Ok(())
    }
}

fn is_url(named: &str) -> bool {
    named.starts_with("http://") || named.starts_with("https://")
}

/// What `--sink` names, other than standard output: a folder, or the URL of an OpenSearch.
pub(crate) fn destination(named: &str, insecure: bool) -> Result<(Destination, Place), Error> {
    if is_url(named) {
        return Ok((opensearch(named, insecure)?, Place { name: "OpenSearch".to_owned(), verb: "indexed" }));
    }
    if let Some((scheme, _)) = named.split_once("://") {
        let what = "`-`, a folder, or the http:// or https:// URL of an OpenSearch";
        return Err(Error::usage(format!("--sink {named}: there is no sink for {scheme}; name {what}")));
    }
    Ok((Destination::Folder(Folder::new(named)), Place::written(named)))
}

/// OpenSearch at a URL; user and password stand in it or in the environment.
fn opensearch(url: &str, insecure: bool) -> Result<Destination, Error> {
    let login = environment::opensearch_login();
    let settings =
        Settings { url: url.to_owned(), login, insecure, failed_folder: None, clock: simulator::system_clock() };
    Ok(Destination::OpenSearch(OpenSearch::new(settings).or_usage()?))
}

/// Shows people what a destination did.
pub(crate) fn show_summary(ui: &mut Ui, place: &Place, summary: &Summary) -> Result<(), Error> {
    let paint = ui.note_paint();
    let Place { name, verb } = place;
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
pub(crate) fn summary_json(place: &Place, summary: &Summary) -> Value {
    let reason = |(kind, refused): (&String, &Refused)| {
        (kind.clone(), json!({"count": refused.count, "message": refused.message, "document": refused.document}))
    };
    let reasons: serde_json::Map<String, Value> = summary.reasons.iter().map(reason).collect();
    json!({"to": place.name, "indexed": summary.indexed, "refused": summary.refused, "reasons": reasons})
}
