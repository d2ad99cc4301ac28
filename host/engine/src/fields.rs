//! Which fields a plugin read and wrote: counted by name, indexes left out.

use pipeline::Fields;
use std::collections::BTreeMap;

/// Most names kept of each kind: a plugin that makes up paths must not fill the memory.
const NAMES_MAX: usize = 1_000;

/// What was noted since the last look.
#[derive(Default)]
pub(crate) struct Noted {
    fields: Fields,
}

impl Noted {
    /// Notes that `path` was asked for; `found` says whether anything was there.
    pub(crate) fn read(&mut self, path: &str, found: bool) {
        let name = without_indexes(path);
        self.absent_or_not(&name, found);
        count(&mut self.fields.read, name, 1);
    }

    /// Notes that `values` values at `path` were changed; none: nothing was there.
    pub(crate) fn write(&mut self, path: &str, values: u64) {
        let name = without_indexes(path);
        self.absent_or_not(&name, values > 0);
        count(&mut self.fields.written, name, values);
    }

    fn absent_or_not(&mut self, name: &str, found: bool) {
        if !found {
            count(&mut self.fields.absent, name.to_owned(), 1);
        }
    }

    pub(crate) fn take(&mut self) -> Fields {
        std::mem::take(&mut self.fields)
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: String, times: u64) {
    if times > 0 && (names.len() < NAMES_MAX || names.contains_key(&name)) {
        *names.entry(name).or_default() += times;
    }
}

/// `items[12].sku` as `items[*].sku`; quoted keys stay as they are.
fn without_indexes(path: &str) -> String {
    let mut name = String::with_capacity(path.len());
    let mut quoted = false;
    let mut characters = path.chars().peekable();
    while let Some(character) = characters.next() {
        name.push(character);
        match character {
            '"' => quoted = !quoted,
            '\\' if quoted => name.extend(characters.next()),
            '[' if !quoted => {
                while characters.next_if(char::is_ascii_digit).is_some() {}
                if characters.peek() == Some(&']') {
                    name.push('*');
                }
            }
            _ => {}
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::without_indexes;

    #[test]
    fn indexes_become_stars_outside_quotes() {
        for (path, name) in
            [("a.b", "a.b"), ("a[12].b[0]", "a[*].b[*]"), ("a[*]", "a[*]"), ("\"a[1]\".b[2]", "\"a[1]\".b[*]")]
        {
            assert_eq!(without_indexes(path), name);
        }
    }
}
