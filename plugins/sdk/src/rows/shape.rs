//! Which fields of a record feed which cells, as a tree of keys.

use std::cell::Cell;

/// One place in a record.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The path from the record to here.
    pub(super) path: String,
    /// The cells that take the value.
    pub(super) cells: Vec<usize>,
    /// The fields below, if any are known.
    pub(super) object: Option<Object>,
}

/// The known fields of an object.
#[derive(Debug)]
pub(super) struct Object {
    fields: Vec<(String, Node)>,
    /// The field that came after each field the last time, the first one after none at index 0.
    /// Records of one provider have their fields in one order, so it is nearly always right.
    next: Vec<Cell<usize>>,
}

impl Node {
    /// Makes a path known.
    pub(super) fn declare(&mut self, path: &str) {
        self.at(path);
    }

    /// Makes a path feed a cell.
    pub(super) fn feed(&mut self, path: &str, cell: usize) {
        self.at(path).cells.push(cell);
    }

    fn at(&mut self, path: &str) -> &mut Self {
        path.split('.').filter(|key| !key.is_empty()).fold(self, Self::child)
    }

    fn child(&mut self, key: &str) -> &mut Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{dot}{key}", self.path);
        let object = self
            .object
            .get_or_insert_with(|| Object { fields: Vec::new(), next: vec![Cell::new(0)] });
        let index = object.fields.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
            object.fields.push((key.to_owned(), Self { path, ..Self::default() }));
            object.next.push(Cell::new(object.fields.len()));
            object.fields.len() - 1
        });
        &mut object.fields[index].1
    }
}

impl Object {
    /// Returns the field of a key. `place` is 0 at first and moves on with each field that is found.
    pub(super) fn find(&self, place: &mut usize, key: &str) -> Option<&Node> {
        let next = &self.next[*place];
        let guess = self.fields.get(next.get()).filter(|(name, _)| name == key);
        let index = match guess {
            Some(_) => next.get(),
            None => self.fields.iter().position(|(name, _)| name == key)?,
        };
        next.set(index);
        *place = index + 1;
        Some(&self.fields[index].1)
    }
}
