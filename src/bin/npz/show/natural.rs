//! Natural numbers of any length, as far as the digits of a float need them.

use std::cmp::Ordering;

/// Least significant first, without zeros at the end.
#[derive(Clone)]
pub(super) struct Natural(Vec<u32>);

impl Natural {
    pub(super) fn new(value: u64) -> Self {
        let mut natural = Natural(vec![value as u32, (value >> 32) as u32]);
        natural.trim();
        natural
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    pub(super) fn shift_left(&mut self, bits: u32) {
        let (words, bits) = (bits / 32, bits % 32);
        self.multiply(1 << bits);
        if !self.0.is_empty() {
            self.0.splice(0..0, (0..words).map(|_| 0));
        }
    }

    pub(super) fn multiply(&mut self, factor: u32) {
        let mut carry = 0_u64;
        for word in &mut self.0 {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    pub(super) fn multiply_by_power_of_ten(&mut self, mut power: u32) {
        const AT_ONCE: u32 = 9;
        while power > 0 {
            let step = power.min(AT_ONCE);
            self.multiply(10_u32.pow(step));
            power -= step;
        }
    }

    pub(super) fn plus(&self, other: &Natural) -> Natural {
        let (long, short) = if self.0.len() < other.0.len() { (other, self) } else { (self, other) };
        let mut carry = 0_u64;
        let mut sum = Vec::with_capacity(long.0.len() + 1);
        for (index, word) in long.0.iter().enumerate() {
            carry += u64::from(*word) + short.0.get(index).map_or(0, |word| u64::from(*word));
            sum.push(carry as u32);
            carry >>= 32;
        }
        if carry > 0 {
            sum.push(carry as u32);
        }
        Natural(sum)
    }

    /// What is taken away is not more than what is there.
    pub(super) fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (index, word) in self.0.iter_mut().enumerate() {
            let (rest, first) = word.overflowing_sub(other.0.get(index).copied().unwrap_or(0));
            let (rest, second) = rest.overflowing_sub(u32::from(borrow));
            (*word, borrow) = (rest, first || second);
        }
        self.trim();
    }
}

impl PartialEq for Natural {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Natural {}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}
