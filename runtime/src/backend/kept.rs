//! What an executor keeps between passes in memory that only one thread may use, such as a GPU's.
//!
//! A network is `Send` on the CPU, so it cannot own such things; it owns a key to them. They go with it, or at the latest when
//! the thread ends or keeps something for another network.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

type Shelf = HashMap<u64, (Weak<Key>, Rc<dyn Any>)>;

thread_local! {
    static SHELF: RefCell<Shelf> = RefCell::default();
}

static NEXT: AtomicU64 = AtomicU64::new(0);

/// The key of one network; its clones are the same key.
#[derive(Clone)]
pub struct Slot(Arc<Key>);

struct Key(u64);

impl Default for Slot {
    fn default() -> Self {
        Slot(Arc::new(Key(NEXT.fetch_add(1, Ordering::Relaxed))))
    }
}

impl Slot {
    /// What is kept here, which begins as nothing.
    pub fn get<K: Any + Default>(&self) -> Rc<K> {
        let known = SHELF.with_borrow(|shelf| shelf.get(&self.0.0).map(|(_, kept)| kept.clone()));
        if let Some(Ok(kept)) = known.map(Rc::downcast) {
            return kept;
        }
        let kept = Rc::new(K::default());
        let new = (Arc::downgrade(&self.0), kept.clone() as Rc<dyn Any>);
        let gone = SHELF.with_borrow_mut(|shelf| {
            let gone: Vec<_> = shelf.extract_if(|_, (key, _)| key.strong_count() == 0).collect();
            shelf.insert(self.0.0, new);
            gone
        });
        drop(gone);
        kept
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // The thread's own things may be gone already.
        let kept = SHELF.try_with(|shelf| shelf.borrow_mut().remove(&self.0));
        drop(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count() -> usize {
        SHELF.with_borrow(HashMap::len)
    }

    #[test]
    fn what_is_kept_goes_with_its_network() {
        let (a, b) = (Slot::default(), Slot::default());
        a.get::<RefCell<u32>>().replace(7);
        assert_eq!((*a.clone().get::<RefCell<u32>>().borrow(), *b.get::<RefCell<u32>>().borrow()), (7, 0));
        drop(a);
        assert_eq!(count(), 1);
        // On another thread the key goes, and here what it stands for with the next one.
        std::thread::spawn(move || drop(b)).join().unwrap();
        assert_eq!(count(), 1);
        let c = Slot::default();
        c.get::<RefCell<u32>>();
        assert_eq!(count(), 1);
    }
}
