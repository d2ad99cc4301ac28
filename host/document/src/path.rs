//! Names of fields: `user.email`, `items[0].sku`, and patterns with `*` and `[*]`.
//!
//! A name is what OpenSearch indexes under it: keys unescaped and joined by dots, trailing dots dropped. So a path is a
//! list of parts without dots, and a key with dots spells several of them. Quotes (`labels."a[0]"`) are for keys with
//! brackets, stars, quotes or backslashes, and for making a key with literal dots.

use crate::looks;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// Longest path, in bytes. OpenSearch takes keys of 50,000, but nobody names a field so; the bound keeps a call cheap.
pub const PATH_BYTES_MAX: usize = 4096;

/// Most parts of a path: more than the deepest document that OpenSearch takes, dots and indexes counted.
pub const PATH_SEGMENTS_MAX: usize = 64;

/// Why a path cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    reason: &'static str,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for PathError {}

/// One part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// A part of a key. `joined`: the next part belongs to the same literal key, when one has to be made.
    Key { name: Cow<'a, str>, joined: bool },
    /// One element of an array.
    Index(u32),
    /// Any key (`*`).
    AnyKey,
    /// Any element (`[*]`).
    AnyElement,
}

impl Segment<'_> {
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Segment::Key { name, .. } => Some(name),
            Segment::Index(_) | Segment::AnyKey | Segment::AnyElement => None,
        }
    }

    fn into_owned(self) -> Segment<'static> {
        match self {
            Segment::Key { name, joined } => Segment::Key { name: Cow::Owned(name.into_owned()), joined },
            Segment::Index(index) => Segment::Index(index),
            Segment::AnyKey => Segment::AnyKey,
            Segment::AnyElement => Segment::AnyElement,
        }
    }
}

/// The parts of a path; few have more than four.
pub(crate) type Segments<'a> = SmallVec<[Segment<'a>; 4]>;

/// The name of one value. The empty path is the root.
#[derive(Clone, Debug)]
pub struct Path<'a>(Form<'a>);

#[derive(Clone, Debug)]
enum Form<'a> {
    /// Plain keys with dots between them, as nearly all paths are: read off the text whenever it is walked.
    Plain(&'a str),
    Parsed(Segments<'a>),
}

impl<'a> Form<'a> {
    #[inline]
    fn plain(&self) -> Option<&'a str> {
        match self {
            Form::Plain(text) => Some(text),
            Form::Parsed(_) => None,
        }
    }

    fn segments(&self) -> Cow<'_, [Segment<'a>]> {
        match self {
            Form::Plain(text) => {
                Cow::Owned(names(text).map(|name| Segment::Key { name: name.into(), joined: false }).collect())
            }
            Form::Parsed(segments) => Cow::Borrowed(segments),
        }
    }
}

impl<'a> Path<'a> {
    /// Reads `user.email`, `items[0].sku`, `labels."a[0]"` or the empty text for the root.
    ///
    /// # Errors
    /// An empty part, an open quote or bracket, a star outside quotes, more than [`PATH_BYTES_MAX`] bytes or
    /// [`PATH_SEGMENTS_MAX`] parts.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Path<'a>, PathError> {
        if is_plain(text) { Ok(Path(Form::Plain(text))) } else { Path::parse_whole(text) }
    }

    #[cold]
    fn parse_whole(text: &'a str) -> Result<Path<'a>, PathError> {
        let segments = parse(text)?;
        match segments.iter().any(|s| matches!(s, Segment::AnyKey | Segment::AnyElement)) {
            true => Err(PathError { reason: "a star stands for many fields: this call takes the path of one" }),
            false => Ok(Path(Form::Parsed(segments))),
        }
    }

    /// The path of a key whose dots are meant as dots: what settings name.
    pub(crate) fn of_key(key: &'a str) -> Path<'a> {
        if is_plain(key) {
            return Path(Form::Plain(key));
        }
        Path(Form::Parsed(parts(key).map(|part| Segment::Key { name: part.into(), joined: false }).collect()))
    }

    /// The text of a path of plain keys; none of any other.
    #[inline]
    pub(crate) fn plain(&self) -> Option<&'a str> {
        self.0.plain()
    }

    pub(crate) fn segments(&self) -> Cow<'_, [Segment<'a>]> {
        self.0.segments()
    }
}

/// The keys of a plain path. Keys are short: a search for many bytes at once would take longer to begin.
#[inline]
pub(crate) fn names(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let path = rest?;
        let end = path.bytes().position(|byte| byte == b'.');
        rest = end.map(|end| &path[end + 1..]);
        Some(&path[..end.unwrap_or(path.len())])
    })
}

/// Whether a path is plain keys with single dots between them.
#[inline]
fn is_plain(text: &str) -> bool {
    let mut dots = 0;
    let mut after_dot = true;
    for &byte in text.as_bytes() {
        match byte {
            b'.' if after_dot => return false,
            b'.' => {
                after_dot = true;
                dots += 1;
            }
            b'[' | b']' | b'"' | b'\\' | b'*' | 0..0x20 => return false,
            _ => after_dot = false,
        }
    }
    !after_dot && dots < PATH_SEGMENTS_MAX && text.len() <= PATH_BYTES_MAX
}

/// The name of any number of values.
#[derive(Clone, Debug)]
pub struct Pattern<'a>(Form<'a>);

impl<'a> Pattern<'a> {
    /// Reads a path in which `*` may stand for any key and `[*]` for any element.
    ///
    /// # Errors
    /// As [`Path::parse`], stars allowed.
    #[inline]
    pub fn parse(text: &'a str) -> Result<Pattern<'a>, PathError> {
        Ok(Pattern(if is_plain(text) { Form::Plain(text) } else { Form::Parsed(parse(text)?) }))
    }

    /// The pattern of these parts.
    pub(crate) fn of_segments(segments: &[Segment<'a>]) -> Pattern<'a> {
        Pattern(Form::Parsed(segments.iter().cloned().collect()))
    }

    /// The text of a pattern of plain keys; none of any other.
    #[inline]
    pub(crate) fn plain(&self) -> Option<&'a str> {
        self.0.plain()
    }

    pub(crate) fn segments(&self) -> Cow<'_, [Segment<'a>]> {
        self.0.segments()
    }

    /// The pattern, independent of the text it was read from.
    pub fn into_owned(self) -> Pattern<'static> {
        Pattern(Form::Parsed(self.segments().iter().cloned().map(Segment::into_owned).collect()))
    }

    /// Whether an index stands in it: permissions take `[*]` only.
    pub fn has_index(&self) -> bool {
        self.segments().iter().any(|s| matches!(s, Segment::Index(_)))
    }
}

fn parse(text: &str) -> Result<Segments<'_>, PathError> {
    if text.len() > PATH_BYTES_MAX {
        return Err(PathError { reason: "a path has at most 4,096 bytes" });
    }
    let mut segments = Segments::new();
    if text.is_empty() {
        return Ok(segments);
    }
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        rest = match rest.as_bytes()[0] {
            b'[' => index(rest, &mut segments)?,
            b'.' if !first => key(&rest[1..], &mut segments)?,
            _ if first => key(rest, &mut segments)?,
            _ => return Err(PathError { reason: "a dot or a bracket is expected after a bracket or a quote" }),
        };
        first = false;
        if segments.len() > PATH_SEGMENTS_MAX {
            return Err(PathError { reason: "a path has at most 64 parts" });
        }
    }
    Ok(segments)
}

fn index<'a>(text: &'a str, segments: &mut Segments<'a>) -> Result<&'a str, PathError> {
    let Some((inside, rest)) = text[1..].split_once(']') else {
        return Err(PathError { reason: "a bracket is not closed" });
    };
    segments.push(match inside {
        "*" => Segment::AnyElement,
        digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Segment::Index(digits.parse().map_err(|_| PathError { reason: "an index is larger than any array" })?)
        }
        _ => return Err(PathError { reason: "a number or a star is expected in brackets" }),
    });
    Ok(rest)
}

fn key<'a>(text: &'a str, segments: &mut Segments<'a>) -> Result<&'a str, PathError> {
    if text.starts_with('"') {
        return quoted_key(text, segments);
    }
    let end = text.bytes().position(|b| matches!(b, b'.' | b'[' | b'"' | b'\\' | b']')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if matches!(rest.as_bytes().first(), Some(b'"' | b'\\' | b']')) {
        return Err(PathError { reason: "a key with a quote, a backslash or a bracket needs double quotes around it" });
    }
    match name {
        // A trailing dot is dropped, as in a document's keys: `a.` is `a`.
        "" if rest.is_empty() && !segments.is_empty() => {}
        "" => return Err(PathError { reason: "a part of the path is empty" }),
        "*" => segments.push(Segment::AnyKey),
        _ if name.contains('*') => {
            return Err(PathError { reason: "a star stands for a whole part; quote a key that has one" });
        }
        _ => segments.push(Segment::Key { name: Cow::Borrowed(name), joined: false }),
    }
    Ok(rest)
}

fn quoted_key<'a>(text: &'a str, segments: &mut Segments<'a>) -> Result<&'a str, PathError> {
    let mut name = String::new();
    let mut characters = text.char_indices().skip(1);
    let end = loop {
        match characters.next() {
            Some((at, '"')) => break at + 1,
            Some((_, '\\')) => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => name.push(escaped),
                _ => return Err(PathError { reason: "only \\\" and \\\\ are escapes in a quoted key" }),
            },
            Some((_, character)) => name.push(character),
            None => return Err(PathError { reason: "a quote is not closed" }),
        }
    };
    let parts: Vec<&str> = parts(&name).collect();
    if segments.len() + parts.len() > PATH_SEGMENTS_MAX {
        return Err(PathError { reason: "a path has at most 64 parts" });
    }
    for (at, part) in parts.iter().enumerate() {
        segments.push(Segment::Key { name: Cow::Owned((*part).to_owned()), joined: at + 1 < parts.len() });
    }
    Ok(&text[end..])
}

/// The parts that a key spells: split at dots, trailing dots dropped. A key of dots only, and the empty key, are one
/// empty part.
pub(crate) fn parts(key: &str) -> std::str::Split<'_, char> {
    key.trim_end_matches('.').split('.')
}

/// Appends a key as a path needs it: quoted when it has anything a path gives a meaning to.
pub(crate) fn push_key(path: &mut String, key: &str) {
    looks::bytes(key.len());
    let plain = !key.is_empty() && !key.bytes().any(|b| matches!(b, b'.' | b'[' | b']' | b'"' | b'\\' | b'*'));
    if plain {
        path.push_str(key);
        return;
    }
    path.push('"');
    for character in key.chars() {
        if matches!(character, '"' | '\\') {
            path.push('\\');
        }
        path.push(character);
    }
    path.push('"');
}

impl fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for segment in &*self.segments() {
            match segment {
                Segment::Index(index) => text.push_str(&format!("[{index}]")),
                Segment::AnyElement => text.push_str("[*]"),
                Segment::AnyKey | Segment::Key { .. } => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    match segment.key() {
                        Some(key) => push_key(&mut text, key),
                        None => text.push('*'),
                    }
                }
            }
        }
        f.write_str(&text)
    }
}
