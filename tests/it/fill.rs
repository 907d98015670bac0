//! `read_into`, from one order of the elements into another.

use ndarray::{Array, ArrayD, Axis, IxDyn, ShapeBuilder, Slice};
use npzmap::{Element, Header, Npy, Order};

/// A number for each element, in the order of the file.
trait Numbered: Element + PartialEq + std::fmt::Debug {
    fn numbered(index: usize) -> Self;
    fn to_bytes(self) -> Vec<u8>;
}

macro_rules! numbered {
    ($($type:ty),*) => {$(
        impl Numbered for $type {
            fn numbered(index: usize) -> Self {
                (index.wrapping_mul(0x9e37_79b9) >> 3) as $type
            }

            fn to_bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
        }
    )*};
}

numbered!(u8, u16, u32, f64);

impl Numbered for bool {
    fn numbered(index: usize) -> Self {
        u8::numbered(index) % 3 == 0
    }

    fn to_bytes(self) -> Vec<u8> {
        vec![u8::from(self)]
    }
}

/// Every order of `count` axes.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![vec![]] };
    let shorter = permutations(last);
    let insert = |order: &Vec<usize>| {
        let order = order.clone();
        (0..count).map(move |at| [&order[..at], &[last], &order[at..]].concat())
    };
    shorter.iter().flat_map(insert).collect()
}

/// Reads an array of this shape, in either order, into memory whose axes lie in every order, together and apart,
/// forwards and backwards.
fn check<T: Numbered>(shape: &[usize]) {
    for order in [Order::C, Order::Fortran] {
        let header = Header::new(T::dtype(), shape, order).unwrap();
        let values: Vec<T> = (0..header.count()).map(T::numbered).collect();
        let bytes = [header.to_bytes(), values.iter().flat_map(|value| value.to_bytes()).collect()].concat();
        let expected = ArrayD::from_shape_vec(IxDyn(shape).set_f(order == Order::Fortran), values).unwrap();
        let npy = Npy::new(bytes).unwrap();
        for axes in permutations(shape.len()) {
            for (apart, step) in [(1, 1_isize), (1, -1), (3, 2), (2, -2)] {
                // Axis `axes[0]` is the slowest in memory.
                let lengths: Vec<usize> = axes.iter().map(|axis| shape[*axis] * apart).collect();
                let mut memory = Array::from_elem(IxDyn(&lengths), T::numbered(1));
                let mut place = vec![0; axes.len()];
                axes.iter().enumerate().for_each(|(at, axis)| place[*axis] = at);
                let mut part = memory.view_mut().permuted_axes(place);
                for (axis, length) in shape.iter().enumerate() {
                    part.slice_axis_inplace(
                        Axis(axis),
                        Slice::new(0, Some((length * step.unsigned_abs()) as isize), step),
                    );
                }
                npy.array().unwrap().read_into(part.view_mut()).unwrap();
                assert!(part == expected, "{shape:?} {order:?} {axes:?} {apart} {step}");
            }
        }
    }
}

#[test]
fn elements_find_their_places_in_memory_of_any_order() {
    for shape in [
        &[][..],
        &[1],
        &[7],
        &[0, 3],
        &[33, 1],
        &[1, 33],
        &[16, 17],
        &[100, 3],
        &[2, 1, 5],
        &[20, 35, 3],
        &[3, 17, 18],
        &[2, 0, 4],
        &[2, 3, 4, 5],
        &[17, 2, 1, 18],
        &[2, 2, 3, 2, 3],
    ] {
        check::<u8>(shape);
        check::<u32>(shape);
        check::<bool>(shape);
    }
}

#[test]
fn rows_longer_than_a_block_are_read_in_parts() {
    // Of 64 KiB, where rows stay rows; of 4 MiB, where they become columns.
    check::<f64>(&[3, 20_000]);
    check::<u16>(&[20_000, 3]);
    check::<f64>(&[2, 600_000]);
    check::<f64>(&[2, 3, 200_000]);
}

#[test]
fn what_is_no_bool_is_found_by_its_number_in_the_file() {
    let header = Header::new(bool::dtype(), &[300, 70], Order::Fortran).unwrap();
    for wrong in [0, 1, 299, 300, 20_999] {
        let mut bytes = header.to_bytes();
        bytes.resize(bytes.len() + header.nbytes(), 1);
        let start = bytes.len() - header.nbytes();
        bytes[start + wrong] = 2;
        let mut memory = Array::from_elem((300, 70), false);
        let error = Npy::new(bytes).unwrap().array().and_then(|array| array.read_into(memory.view_mut())).unwrap_err();
        let kind = error.kind();
        assert!(matches!(kind, npzmap::ErrorKind::InvalidElement { index, .. } if *index == wrong), "{kind}");
    }
}
