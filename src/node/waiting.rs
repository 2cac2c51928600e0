//! Claims that came too fast: taken when their time has come.

use super::Node;
use crate::core::gossip::relay_fanout;
use crate::core::register::{EntryKey, Item};
use crate::core::schedule::Now;
use crate::domain::Result;

impl Node {
    /// Takes what has waited for long enough, together.
    pub(super) fn take_waiting(&mut self, now: Now) -> Result<()> {
        match &mut self.life {
            Some(life) if !life.deactivated => {
                let due = life.pace.due(now.mono_ms);
                self.take_waited(due, now)
            }
            _ => Ok(()),
        }
    }

    /// An operator changes this entry: what waits of it is taken first, so that the newest is changed.
    pub(super) fn take_waiting_of(&mut self, key: EntryKey, now: Now) -> Result<()> {
        let life = self.life.as_mut();
        let waits = life.and_then(|life| life.pace.claim(key));
        self.take_waited(waits.into_iter().collect(), now)
    }

    fn take_waited(&mut self, mut items: Vec<Item>, now: Now) -> Result<()> {
        let Some(life) = &self.life else {
            return Ok(());
        };
        // The license may have been renewed meanwhile.
        for item in &mut items {
            item.add_tags(&life.issues);
        }
        let register = &life.register;
        let changes: Vec<_> = items.iter().filter_map(|i| register.consider(i)).collect();
        let fanout = relay_fanout(register.member_count());
        let taken = self.commit_changes(changes, None, now, fanout, None);
        if let (Err(_), Some(life)) = (&taken, &mut self.life) {
            // The store may take them later.
            items.into_iter().for_each(|item| life.pace.wait(item));
        }
        taken
    }
}
