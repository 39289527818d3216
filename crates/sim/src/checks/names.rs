use foldhash::quality::FixedState;
use hashbrown::HashMap;

/// A small number in place of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameId(u32);

impl NameId {
    /// The lowest.
    pub(super) const FIRST: Self = Self(0);

    /// The name that was heard of after so many others.
    pub(super) fn at(index: usize) -> Self {
        Self(u32::try_from(index).expect("there are far fewer names than 2^32"))
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// All names that were heard of, in the order in which they were. Nobody iterates the map.
#[derive(Debug)]
pub(super) struct Names {
    ids: HashMap<Box<str>, NameId, FixedState>,
    names: Vec<Box<str>>,
}

impl Default for Names {
    fn default() -> Self {
        Self { ids: HashMap::with_hasher(FixedState::with_seed(0)), names: Vec::new() }
    }
}

impl Names {
    pub(super) fn id(&mut self, name: &str) -> NameId {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = NameId::at(self.names.len());
        self.ids.insert(name.into(), id);
        self.names.push(name.into());
        id
    }

    pub(super) fn name(&self, id: NameId) -> &str {
        &self.names[id.index()]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }
}
