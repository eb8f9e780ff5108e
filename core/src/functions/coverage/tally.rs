//! How many lives there are at one instant at most, while lives come and go.
//! A tree of the instants at which their number changes, in order of time; each node knows the sum of
//! the changes below it and the highest sum that they reach one after the other. Adding a life, taking
//! it away and asking cost the logarithm of how many there are, nothing, whatever the frame.

use super::{Life, OPEN};

/// No node.
const NONE: u32 = u32::MAX;

/// How many nodes without effect are kept, beside as many as there are with one.
const SPARE: usize = 1_024;

/// An instant, and whether it is meant just after it: lives of no length end there.
type Place = (i64, bool);

/// The number of lives as it changes over time.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    nodes: Vec<Node>,
    root: u32,
    /// Nodes at which the number changes no more.
    n_idle: usize,
    /// The state of what gives nodes their weight.
    seed: u64,
}

/// A place at which the number changes.
#[derive(Debug, Clone)]
struct Node {
    place: Place,
    change: i64,
    /// The sum of the changes from here down.
    sum: i64,
    /// The highest sum of the first so many of them; not below 0.
    most: i64,
    /// A node's weight is above those of its children, which keeps the tree flat.
    weight: u64,
    left: u32,
    right: u32,
}

impl Default for Tally {
    fn default() -> Self {
        Self { nodes: Vec::new(), root: NONE, n_idle: 0, seed: 0 }
    }
}

impl Tally {
    /// Adds a life.
    pub(super) fn add(&mut self, life: Life) {
        self.change(life, 1);
    }

    /// Takes away a life that was added.
    pub(super) fn take(&mut self, life: Life) {
        self.change(life, -1);
    }

    /// Returns how many lives there are at one instant at most.
    pub(super) fn most(&self) -> i64 {
        self.node(self.root).map_or(0, |node| node.most)
    }

    /// Returns how much memory it takes, in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }

    fn change(&mut self, (start, end): Life, by: i64) {
        self.root = self.changed(self.root, (start, false), by);
        if end != OPEN {
            self.root = self.changed(self.root, (end, start == end), -by);
        }
        if self.n_idle > SPARE + self.nodes.len() / 2 {
            self.rebuild();
        }
    }

    /// Changes the number at a place below a node. Returns the node that takes its place.
    fn changed(&mut self, at: u32, place: Place, by: i64) -> u32 {
        let Some(node) = self.node(at) else { return self.leaf(place, by) };
        let order = place.cmp(&node.place);
        let (left, right) = (node.left, node.right);
        let top = match order {
            std::cmp::Ordering::Equal => {
                self.change_node(at, by);
                at
            }
            std::cmp::Ordering::Less => {
                let left = self.changed(left, place, by);
                self.nodes[at as usize].left = left;
                if self.weight(left) > self.weight(at) {
                    // The lighter one sinks, and takes what lay between the two.
                    self.nodes[at as usize].left = self.nodes[left as usize].right;
                    self.nodes[left as usize].right = at;
                    self.sum_up(at);
                    left
                } else {
                    at
                }
            }
            std::cmp::Ordering::Greater => {
                let right = self.changed(right, place, by);
                self.nodes[at as usize].right = right;
                if self.weight(right) > self.weight(at) {
                    self.nodes[at as usize].right = self.nodes[right as usize].left;
                    self.nodes[right as usize].left = at;
                    self.sum_up(at);
                    right
                } else {
                    at
                }
            }
        };
        self.sum_up(top);
        top
    }

    fn change_node(&mut self, at: u32, by: i64) {
        let node = &mut self.nodes[at as usize];
        let was_idle = node.change == 0;
        node.change += by;
        match (was_idle, node.change == 0) {
            (false, true) => self.n_idle += 1,
            (true, false) => self.n_idle -= 1,
            _ => {}
        }
    }

    fn leaf(&mut self, place: Place, change: i64) -> u32 {
        // What is random is only how flat the tree is, so any sequence without a pattern will do.
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut weight = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        weight = (weight ^ (weight >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let at = self.nodes.len() as u32;
        let (sum, most) = (change, change.max(0));
        self.nodes.push(Node { place, change, sum, most, weight, left: NONE, right: NONE });
        at
    }

    /// Sums up a node whose children are right.
    fn sum_up(&mut self, at: u32) {
        let node = &self.nodes[at as usize];
        let of = |child| self.node(child).map_or((0, 0), |child| (child.sum, child.most));
        let ((left, most_left), (right, most_right)) = (of(node.left), of(node.right));
        let here = left + node.change;
        let most = most_left.max(here).max(here + most_right);
        let node = &mut self.nodes[at as usize];
        (node.sum, node.most) = (here + right, most);
    }

    /// Builds the tree anew without the places at which nothing changes.
    fn rebuild(&mut self) {
        let mut old = std::mem::take(&mut self.nodes);
        old.retain(|node| node.change != 0);
        (self.root, self.n_idle) = (NONE, 0);
        for node in old {
            self.root = self.changed(self.root, node.place, node.change);
        }
    }

    fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    fn weight(&self, at: u32) -> u64 {
        self.node(at).map_or(0, |node| node.weight)
    }
}
