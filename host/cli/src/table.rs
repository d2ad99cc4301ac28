//! Columns of text that people can read: names to the left, numbers to the right.

use crate::terminal::Paint;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows under a heading.
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, one cell a column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// Its lines, two spaces in. Columns whose cells are all empty or `0` are left out, so that what is there stands
    /// out.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let shown: Vec<usize> = (0..self.columns.len()).filter(|&at| self.says_something(at)).collect();
        let widths: Vec<usize> = shown.iter().map(|&at| self.width(at)).collect();
        let line = |cell: &dyn Fn(usize) -> String| {
            let mut line = String::from("  ");
            for (&at, &width) in shown.iter().zip(&widths) {
                let cell = cell(at);
                let gap = " ".repeat(width - cell.chars().count());
                match self.columns[at].1 {
                    Align::Left => line.extend([cell, gap]),
                    Align::Right => line.extend([gap, cell]),
                }
                line.push_str("  ");
            }
            line.trim_end().to_owned()
        };
        let heading = line(&|at| self.columns[at].0.to_owned());
        let mut lines = vec![paint.dim(&heading)];
        lines.extend(self.rows.iter().map(|row| line(&|at| row[at].clone())));
        lines
    }

    fn says_something(&self, at: usize) -> bool {
        self.columns[at].1 == Align::Left || self.rows.iter().any(|row| !matches!(row[at].as_str(), "" | "0"))
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[at].chars().count());
        cells.chain([self.columns[at].0.chars().count()]).max().unwrap_or(0)
    }
}

/// Words in lines of at most `width` columns; all lines but the first begin with `indent` spaces.
pub(crate) fn wrap(first: &str, words: &[String], indent: usize, width: usize) -> Vec<String> {
    let mut lines = vec![format!("{first:indent$}")];
    for (at, word) in words.iter().enumerate() {
        let word = if at + 1 < words.len() { format!("{word}, ") } else { word.clone() };
        let open = lines.last_mut().expect("there is a first line");
        if open.chars().count() > indent && open.chars().count() + word.trim_end().chars().count() > width {
            *open = open.trim_end().to_owned();
            lines.push(" ".repeat(indent));
        }
        lines.last_mut().expect("there is a first line").push_str(&word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_ones_go() {
        let mut table = Table::new(&[("step", Align::Left), ("events", Align::Right), ("failed", Align::Right)]);
        table.row(["mask".into(), "12".into(), "0".into()]);
        table.row(["a".into(), "1,000".into(), "0".into()]);
        assert_eq!(table.lines(Paint::PLAIN), ["  step  events", "  mask      12", "  a      1,000"]);
    }

    #[test]
    fn words_wrap() {
        let words = ["aaa", "bbb", "ccc"].map(String::from);
        assert_eq!(wrap("x", &words, 4, 13), ["x   aaa, bbb,", "    ccc"].map(String::from));
    }
}
