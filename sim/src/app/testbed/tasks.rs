//! An executor whose tasks' panics are the test's.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use mesh_core::seam::{LocalBoxFuture, Spawn};

#[derive(Default)]
pub(super) struct Tasks {
    all: RefCell<Vec<Option<LocalBoxFuture<'static, ()>>>>,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

struct TaskWaker {
    index: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.push_back(self.index);
    }
}

impl Spawn for Tasks {
    fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        let mut all = self.all.borrow_mut();
        let index = all.len();
        all.push(Some(task));
        self.ready.lock().unwrap().push_back(index);
    }
}

impl Tasks {
    pub(super) fn settle(&self) {
        for polls in 0.. {
            assert!(polls < 2_000_000, "livelock: the instant never ends");
            let Some(index) = self.ready.lock().unwrap().pop_front() else {
                return;
            };
            let Some(mut task) = self.all.borrow_mut()[index].take() else {
                continue;
            };
            let ready = self.ready.clone();
            let waker = Waker::from(Arc::new(TaskWaker { index, ready }));
            if task
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
            {
                self.all.borrow_mut()[index] = Some(task);
            }
        }
    }
}
