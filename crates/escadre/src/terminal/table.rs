//! Columns.
//!
//! In: rows of cells. Out: lines that fit the width: the last column is wrapped, nothing is lost.
//! **Invariant**: 80 columns are enough; at 120 and more the columns stand further apart.
//! Not here: what stands in cells. Tests: `table/tests.rs`.

use super::style::{self, Look, columns};

/// On which side a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table being written.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    indent: usize,
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
    headed: bool,
}

impl Table {
    /// A table with that indent and these columns.
    pub(crate) fn new(indent: usize, sides: &[Side]) -> Self {
        Self { indent, sides: sides.to_vec(), rows: Vec::new(), headed: false }
    }

    /// A table of words.
    pub(crate) fn words(indent: usize, count: usize) -> Self {
        Self::new(indent, &vec![Side::Left; count])
    }

    /// Adds a row; missing cells are empty.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// The first row is a heading: a column with nothing below its heading is left out.
    pub(crate) fn head<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        self.headed = true;
        self.row(cells)
    }

    /// The table without the columns that say nothing.
    fn told(&self) -> Self {
        let says =
            |column: &usize| self.rows.iter().skip(1).any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()));
        let kept: Vec<usize> = (0..self.sides.len()).filter(says).collect();
        let pick = |row: &Vec<String>| kept.iter().map(|at| row.get(*at).cloned().unwrap_or_default()).collect();
        Self {
            indent: self.indent,
            sides: kept.iter().filter_map(|at| self.sides.get(*at).copied()).collect(),
            rows: self.rows.iter().map(pick).collect(),
            headed: false,
        }
    }

    /// The lines.
    pub(crate) fn paint(&self, look: Look) -> String {
        if self.headed {
            return self.told().paint(look);
        }
        let count = self.sides.len();
        let mut widths = vec![0; count];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        let gaps = count.saturating_sub(1);
        let bare: usize = self.indent + widths.iter().sum::<usize>();
        let gap = if look.width >= 120 && bare + 4 * gaps <= look.width { 4 } else { 2 };
        self.rows.iter().map(|row| self.line(row, &widths, gap, look)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize], gap: usize, look: Look) -> String {
        let mut line = " ".repeat(self.indent);
        let last = widths.len().saturating_sub(1);
        let empty = String::new();
        for (index, (width, side)) in widths.iter().zip(&self.sides).enumerate() {
            let cell = row.get(index).unwrap_or(&empty);
            let pad = " ".repeat(width.saturating_sub(columns(cell)));
            match side {
                Side::Right => line.push_str(&format!("{pad}{cell}")),
                Side::Left if index == last => return self.wrapped(&line, cell, look),
                Side::Left => line.push_str(&format!("{cell}{pad}")),
            }
            if index < last {
                line.push_str(&" ".repeat(gap));
            }
        }
        format!("{}\n", line.trim_end())
    }

    /// The last cell, on as many lines as it needs. Where too little room is left beside the others it stands below them.
    fn wrapped(&self, before: &str, cell: &str, look: Look) -> String {
        let room = look.width.saturating_sub(columns(before));
        if columns(cell) <= room {
            return format!("{}\n", format!("{before}{cell}").trim_end());
        }
        if room >= 24 {
            return style::hang(before, cell, look.width);
        }
        let indent = " ".repeat(self.indent + 4);
        format!("{}\n{}", before.trim_end(), style::hang(&indent, cell, look.width))
    }
}

#[cfg(test)]
mod tests;
