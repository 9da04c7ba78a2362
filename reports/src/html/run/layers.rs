//! Where the nodes of a call graph are drawn.
//!
//! In layers, as Sugiyama, Tagawa and Toda have it ("Methods for Visual Understanding of Hierarchical System
//! Structures", 1981): a node stands to the right of everything that calls it; edges that close a cycle are left out of
//! account; in its layer each node is moved to the mean place of its neighbours, a few times over, which removes most
//! crossings.

use std::collections::BTreeMap;

/// Passes over all layers; later ones hardly change anything.
const PASSES: usize = 6;

/// The layers of `nodes` nodes, each from top to bottom. `edges` are pairs of caller and callee.
pub(super) fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let forward = without_cycles(nodes, edges);
    let depth = depths(nodes, &forward);
    let count = depth.iter().copied().max().map_or(0, |deepest| deepest + 1);
    let mut layers = vec![Vec::new(); count];
    for (node, depth) in depth.iter().enumerate() {
        layers[*depth].push(node);
    }
    for pass in 0..PASSES {
        let mut place: BTreeMap<usize, f64> = BTreeMap::new();
        for layer in &layers {
            for (i, node) in layer.iter().enumerate() {
                // In the middle of its layer's height, so that layers of different sizes compare.
                place.insert(*node, i as f64 - (layer.len() - 1) as f64 / 2.0);
            }
        }
        let down = pass % 2 == 0;
        let order: Vec<usize> = if down {
            (0..count).collect()
        } else {
            (0..count).rev().collect()
        };
        for at in order {
            let mean = |node: &usize| {
                let near: Vec<f64> = forward
                    .iter()
                    .filter_map(|(from, to)| match down {
                        true if to == node => place.get(from).copied(),
                        false if from == node => place.get(to).copied(),
                        _ => None,
                    })
                    .collect();
                match near.len() {
                    0 => place.get(node).copied().unwrap_or(0.0),
                    n => near.iter().sum::<f64>() / n as f64,
                }
            };
            let mut keyed: Vec<(f64, usize)> = layers[at].iter().map(|n| (mean(n), *n)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[at] = keyed.into_iter().map(|(_, node)| node).collect();
            for (i, node) in layers[at].iter().enumerate() {
                place.insert(*node, i as f64 - (layers[at].len() - 1) as f64 / 2.0);
            }
        }
    }
    layers
}

/// The edges but those that lead back to where one came from.
fn without_cycles(nodes: usize, edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); nodes];
    for (from, to) in edges
        .iter()
        .filter(|(from, to)| *from < nodes && *to < nodes)
    {
        next[*from].push(*to);
    }
    let mut kept = Vec::new();
    // 0 not seen, 1 on the way from the root, 2 done; the stack holds a node and which of its edges is next.
    let mut state = vec![0_u8; nodes];
    for root in 0..nodes {
        if state[root] != 0 {
            continue;
        }
        state[root] = 1;
        let mut stack = vec![(root, 0)];
        while let Some((node, edge)) = stack.pop() {
            let Some(to) = next[node].get(edge).copied() else {
                state[node] = 2;
                continue;
            };
            stack.push((node, edge + 1));
            if state[to] != 1 {
                kept.push((node, to));
            }
            if state[to] == 0 {
                state[to] = 1;
                stack.push((to, 0));
            }
        }
    }
    kept
}

/// The length of the longest way to each node. `edges` have no cycle.
fn depths(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut depth = vec![0; nodes];
    for _ in 0..nodes {
        let mut moved = false;
        for (from, to) in edges {
            if depth[*to] < depth[*from] + 1 {
                depth[*to] = depth[*from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn callees_stand_to_the_right_of_their_callers() {
        // shoppers → productpage → {details, reviews}, reviews → ratings
        let layers = layers(5, &[(0, 1), (1, 2), (1, 3), (3, 4)]);
        assert_eq!(layers, [vec![0], vec![1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn crossings_that_need_not_be_are_removed() {
        // 0 → 3, 1 → 2: with the callees in order of number the edges would cross.
        assert_eq!(layers(4, &[(0, 3), (1, 2)])[1], [3, 2]);
    }

    proptest! {
        #[test]
        fn every_node_has_one_place(edges in prop::collection::vec((0usize..12, 0usize..12), 0..60)) {
            let mut all: Vec<usize> = layers(12, &edges).into_iter().flatten().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..12).collect::<Vec<_>>());
        }
    }
}
