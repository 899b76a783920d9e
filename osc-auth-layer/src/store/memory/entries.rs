//! The entries of a store in memory, with their indexes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::store::Entry;

/// The entries, each with its group. The indexes spare each operation a search through all entries.
#[derive(Clone, Default)]
pub(super) struct Entries {
    pub(super) by_key: BTreeMap<String, (Entry, Option<String>)>,
    by_expiry: BTreeSet<(SystemTime, String)>,
    by_group: BTreeSet<(String, String)>,
}

/// How many expired entries each operation removes. Two, so that a store shrinks again after a burst.
const FORGOTTEN_EACH_TIME: usize = 2;

impl Entries {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key).map(|(entry, _)| entry)
    }

    pub(super) fn remove(&mut self, key: &str) {
        if let Some((entry, group)) = self.by_key.remove(key) {
            self.by_expiry.remove(&(entry.expires_at, key.to_owned()));
            group.map(|group| self.by_group.remove(&(group, key.to_owned())));
        }
    }

    pub(super) fn put(&mut self, key: &str, entry: Entry, group: Option<&str>) {
        self.remove(key);
        self.by_expiry.insert((entry.expires_at, key.to_owned()));
        self.by_group.extend(group.map(|group| (group.to_owned(), key.to_owned())));
        self.by_key.insert(key.to_owned(), (entry, group.map(str::to_owned)));
    }

    /// Removes the entry of this key if it has expired, and some others that have.
    pub(super) fn forget_expired(&mut self, key: &str, now: SystemTime) -> usize {
        let own = self.get(key).filter(|entry| entry.expires_at <= now).map(|_| key.to_owned());
        let others = self.by_expiry.iter().take(FORGOTTEN_EACH_TIME);
        let others = others.take_while(|(expires_at, _)| *expires_at <= now).map(|(_, key)| key.clone());
        let expired: Vec<_> = own.into_iter().chain(others).collect();
        expired.iter().for_each(|key| self.remove(key));
        expired.len()
    }

    pub(super) fn members(&self, group: &str, now: SystemTime) -> Vec<String> {
        let from = self.by_group.range((group.to_owned(), String::new())..);
        let members = from.take_while(|(of, _)| of == group).map(|(_, key)| key);
        members.filter(|key| self.get(key).is_some_and(|entry| now < entry.expires_at)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Version;
    use std::time::Duration;

    #[test]
    fn an_operation_removes_few_expired_entries_and_finds_none() {
        let (mut entries, at) =
            (Entries::default(), |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let entry =
            |expires_at| Entry { version: Version::from_bytes([0; 16]), value: Vec::new(), expires_at };
        (0..1_000).for_each(|number| entries.put(&number.to_string(), entry(at(10)), Some("ada")));
        entries.put("later", entry(at(20)), Some("ada"));
        assert!(entries.forget_expired("999", at(10)) <= FORGOTTEN_EACH_TIME + 1);
        assert!(entries.get("999").is_none());
        assert_eq!(entries.members("ada", at(10)), ["later"]);
        while entries.forget_expired("", at(10)) > 0 {}
        let left = (entries.by_key.len(), entries.by_expiry.len(), entries.by_group.len());
        assert_eq!(left, (1, 1, 1));
    }
}
