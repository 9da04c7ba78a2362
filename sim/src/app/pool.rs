//! A pool of workers and the line of requests in front of it.
//!
//! An app that can work on `c` requests at once is a G/G/c queue, and the
//! model is only worth having if it is that queue exactly. Two rules make it
//! so. A worker that becomes free is handed to the next request in line by
//! the one that frees it, in the same instant; it never lies idle beside a
//! waiting request, and a request that arrives in that very instant cannot
//! slip past the line. And nothing here takes virtual time. The waiting times
//! under first-in-first-out therefore equal the recursions of Lindley (1952)
//! for one worker and of Kiefer and Wolfowitz (1955) for `c`, to the
//! nanosecond; the tests compare them.
//!
//! Leaving the line (the caller has gone) costs O(log n), because overload is
//! when lines are long and callers give up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::lever::Lever;
use crate::plan::{AppPlan, QueueOrder};

/// A pool of workers; clones share it.
#[derive(Clone)]
pub(super) struct WorkerPool(Rc<RefCell<State>>);

struct State {
    /// Workers doing nothing; `None` when they are unlimited.
    idle: Option<u32>,
    busy: u32,
    /// Most workers that a fault lets be given out.
    limit: Option<(u32, Rc<Lever>)>,
    queue_max: Option<u32>,
    order: QueueOrder,
    next_ticket: u64,
    /// Who waits, by arrival. A ticket that has left the map holds a worker.
    waiting: BTreeMap<u64, Option<Waker>>,
}

/// The line was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QueueFull;

/// How loaded a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Requests on a worker.
    pub(super) busy: u32,
    /// Requests in line.
    pub(super) waiting: u32,
}

impl WorkerPool {
    /// The pool that `plan` asks for, all workers idle.
    pub(super) fn new(plan: &AppPlan) -> Self {
        Self(Rc::new(RefCell::new(State {
            idle: plan.workers,
            busy: 0,
            limit: None,
            queue_max: plan.queue_max,
            order: plan.queue_order,
            next_ticket: 0,
            waiting: BTreeMap::new(),
        })))
    }

    /// Takes a worker, or a place in line.
    pub(super) fn enter(&self) -> Result<Place, QueueFull> {
        let mut state = self.0.borrow_mut();
        let ticket = state.next_ticket;
        if !state.occupy() {
            if state
                .queue_max
                .is_some_and(|max| state.waiting.len() >= max as usize)
            {
                return Err(QueueFull);
            }
            state.waiting.insert(ticket, None);
        }
        state.next_ticket += 1;
        Ok(Place {
            pool: Some(self.clone()),
            ticket,
        })
    }

    /// How loaded it is now.
    pub(super) fn load(&self) -> Load {
        let state = self.0.borrow();
        Load {
            busy: state.busy,
            waiting: u32::try_from(state.waiting.len()).unwrap_or(u32::MAX),
        }
    }

    /// From now on no more workers are given out than a fault lets; `None` is as many as there are. Those who wait get
    /// what that frees.
    pub(super) fn limit(&self, limit: Option<(u32, Rc<Lever>)>) {
        let woken = {
            let mut state = self.0.borrow_mut();
            state.limit = limit;
            state.hand_out()
        };
        woken.into_iter().for_each(Waker::wake);
    }

    /// A worker is done: it goes to the next in line, or idle.
    fn release(&self) {
        let next = self.0.borrow_mut().hand_over();
        // Woken with the state free again: a waker may run anything.
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl State {
    /// Takes an idle worker for a request that has just come.
    fn occupy(&mut self) -> bool {
        if self.idle == Some(0) {
            return false;
        }
        if let Some((most, lever)) = &self.limit
            && self.busy >= *most
        {
            lever.touch(1);
            return false;
        }
        self.take_idle();
        true
    }

    fn take_idle(&mut self) {
        self.idle = self.idle.map(|idle| idle - 1);
        self.busy += 1;
    }

    /// Gives idle workers to those who wait, as far as may be.
    fn hand_out(&mut self) -> Vec<Waker> {
        let mut woken = Vec::new();
        while self.idle != Some(0)
            && self
                .limit
                .as_ref()
                .is_none_or(|(most, _)| self.busy < *most)
        {
            let Some(waker) = self.next() else { break };
            self.take_idle();
            woken.extend(waker);
        }
        woken
    }

    fn next(&mut self) -> Option<Option<Waker>> {
        let next = match self.order {
            QueueOrder::Fifo => self.waiting.pop_first(),
            QueueOrder::Lifo => self.waiting.pop_last(),
        };
        next.map(|(_, waker)| waker)
    }

    fn hand_over(&mut self) -> Option<Waker> {
        let too_many = self
            .limit
            .as_ref()
            .is_some_and(|(most, _)| self.busy > *most);
        if !too_many && let Some(waker) = self.next() {
            return waker;
        }
        self.busy -= 1;
        self.idle = self.idle.map(|idle| idle + 1);
        None
    }
}

/// A place in line; completes with a worker. Dropping it leaves the line.
#[must_use = "a place in line that is dropped is given up"]
pub(super) struct Place {
    /// `None` once it has become a [`Worker`].
    pool: Option<WorkerPool>,
    ticket: u64,
}

impl Future for Place {
    type Output = Worker;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Worker> {
        let ticket = self.ticket;
        let pool = self
            .pool
            .take()
            .expect("a place is not polled after it completed");
        if let Some(slot) = pool.0.borrow_mut().waiting.get_mut(&ticket) {
            match slot {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *slot = Some(cx.waker().clone()),
            }
        } else {
            return Poll::Ready(Worker { pool, lost: false });
        }
        self.pool = Some(pool);
        Poll::Pending
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        let in_line = pool.0.borrow_mut().waiting.remove(&self.ticket).is_some();
        if !in_line {
            pool.release();
        }
    }
}

/// A worker in use. Dropping it frees it, unless it is lost.
#[must_use = "a worker that is dropped is free again"]
pub(super) struct Worker {
    pool: WorkerPool,
    lost: bool,
}

impl Worker {
    /// It never comes back to its pool: it stays busy while the process lives.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.lost {
            self.pool.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh_core::seam::{Instant, Rng};
    use proptest::prelude::*;

    use super::*;
    use crate::app::testbed::Testbed;
    use crate::plan::{CancelPolicy, Distribution, EndpointPlan};

    fn pool(workers: Option<u32>, queue_max: Option<u32>, queue_order: QueueOrder) -> WorkerPool {
        WorkerPool::new(&AppPlan {
            workers,
            queue_max,
            queue_order,
            cancel: CancelPolicy::Stop,
            endpoints: Vec::new(),
            fallback: EndpointPlan::echo(),
            process: Default::default(),
        })
    }

    #[derive(Clone, Copy, Debug)]
    struct Job {
        arrival: u64,
        service: u64,
    }

    /// M/M/c jobs at utilisation `rho`.
    fn jobs(n: usize, workers: u32, rho: f64, mean_ns: u64) -> Vec<Job> {
        let mut rng = Rng::named(5, "jobs");
        let service = Distribution::Exponential {
            mean: Duration::from_nanos(mean_ns),
        };
        let gap = mean_ns as f64 / f64::from(workers) / rho;
        let gap = Distribution::Exponential {
            mean: Duration::from_nanos(gap as u64),
        };
        let mut arrival = 0;
        let mut ns = |d: &Distribution| u64::try_from(d.sample(&mut rng).as_nanos()).unwrap();
        (0..n)
            .map(|_| {
                arrival += ns(&gap);
                Job {
                    arrival,
                    service: ns(&service),
                }
            })
            .collect()
    }

    /// Start of service by the recursion of Kiefer and Wolfowitz: workers by when they become free.
    fn recursion(jobs: &[Job], workers: usize) -> Vec<u64> {
        let mut free_at = vec![0; workers];
        jobs.iter()
            .map(|job| {
                free_at.sort_unstable();
                let start = job.arrival.max(free_at[0]);
                free_at[0] = start + job.service;
                start
            })
            .collect()
    }

    /// Start of service as the pool has it, in virtual time; `None` where the line was full.
    fn simulate(jobs: &[Job], pool: &WorkerPool) -> Vec<Option<u64>> {
        let bed = Testbed::new(1);
        let starts = Rc::new(RefCell::new(vec![None; jobs.len()]));
        for (i, job) in jobs.iter().copied().enumerate() {
            let (seams, pool, starts) = (bed.seams(), pool.clone(), starts.clone());
            bed.spawn(async move {
                seams
                    .clock
                    .sleep_until(Instant::from_nanos(job.arrival))
                    .await;
                let Ok(place) = pool.enter() else { return };
                let worker = place.await;
                let start = seams.now();
                starts.borrow_mut()[i] = Some(start.as_nanos());
                seams
                    .clock
                    .sleep_until(start + Duration::from_nanos(job.service))
                    .await;
                drop(worker);
            });
        }
        bed.run();
        assert_eq!(
            pool.load(),
            Load {
                busy: 0,
                waiting: 0
            }
        );
        starts.take()
    }

    #[test]
    fn one_worker_is_lindley_to_the_nanosecond() {
        let jobs = jobs(20_000, 1, 0.9, 2_000_000);
        let expected: Vec<_> = recursion(&jobs, 1).into_iter().map(Some).collect();
        assert_eq!(
            simulate(&jobs, &pool(Some(1), None, QueueOrder::Fifo)),
            expected
        );
    }

    #[test]
    fn four_workers_are_kiefer_wolfowitz_to_the_nanosecond() {
        let jobs = jobs(20_000, 4, 0.9, 2_000_000);
        let expected: Vec<_> = recursion(&jobs, 4).into_iter().map(Some).collect();
        assert_eq!(
            simulate(&jobs, &pool(Some(4), None, QueueOrder::Fifo)),
            expected
        );
    }

    #[test]
    fn without_a_line_it_blocks_as_erlang_b_says() {
        // c = 10, a = 8: 0.12166 (Erlang's loss formula). 40 000 arrivals: standard error about 0.003.
        let jobs = jobs(40_000, 10, 0.8, 1_000_000);
        let starts = simulate(&jobs, &pool(Some(10), Some(0), QueueOrder::Fifo));
        let blocked = starts.iter().filter(|s| s.is_none()).count() as f64 / jobs.len() as f64;
        assert!((blocked - 0.12166).abs() < 0.012, "{blocked}");
    }

    #[test]
    fn unlimited_workers_never_wait() {
        let jobs = jobs(1000, 1, 5.0, 2_000_000);
        let starts = simulate(&jobs, &pool(None, Some(0), QueueOrder::Fifo));
        assert!(
            jobs.iter()
                .zip(starts)
                .all(|(job, start)| start == Some(job.arrival))
        );
    }

    #[test]
    fn last_in_first_out_serves_the_newest() {
        let jobs: Vec<_> = (0..4)
            .map(|i| Job {
                arrival: i,
                service: 10,
            })
            .collect();
        let starts = simulate(&jobs, &pool(Some(1), Some(2), QueueOrder::Lifo));
        assert_eq!(starts, [Some(0), Some(20), Some(10), None]);
    }

    fn is_ready(place: &mut Place) -> Option<Worker> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(place).poll(&mut cx) {
            Poll::Ready(worker) => Some(worker),
            Poll::Pending => None,
        }
    }

    proptest! {
        /// Whatever comes and goes, workers are conserved, none idles beside a
        /// waiting request, and the line keeps its bound.
        #[test]
        fn workers_are_conserved(
            workers in 0u32..4,
            queue_max in 0u32..4,
            lifo: bool,
            moves in prop::collection::vec((0u8..4, any::<prop::sample::Index>()), 0..200),
        ) {
            let order = if lifo { QueueOrder::Lifo } else { QueueOrder::Fifo };
            let pool = pool(Some(workers), Some(queue_max), order);
            let mut places: Vec<Place> = Vec::new();
            let mut working: Vec<Worker> = Vec::new();
            for (what, which) in moves {
                match what {
                    0 | 1 => places.extend(pool.enter().ok()),
                    2 if !places.is_empty() => drop(places.swap_remove(which.index(places.len()))),
                    3 if !working.is_empty() => drop(working.swap_remove(which.index(working.len()))),
                    _ => {}
                }
                let mut still = Vec::new();
                for mut place in places.drain(..) {
                    match is_ready(&mut place) {
                        Some(worker) => working.push(worker),
                        None => still.push(place),
                    }
                }
                places = still;
                let Load { busy, waiting } = pool.load();
                prop_assert_eq!(busy as usize, working.len());
                prop_assert_eq!(waiting as usize, places.len());
                prop_assert!(busy <= workers && waiting <= queue_max);
                prop_assert!(waiting == 0 || busy == workers);
            }
        }
    }
}
