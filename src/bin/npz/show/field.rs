//! The fields of records, found by a path of names with dots between them.

use npzmap::{Dtype, Header, Order};

use super::index::{Axis, View};

/// The whole array. Sub-arrays that its items are become axes.
pub(super) fn whole(header: &Header) -> (View, &Dtype) {
    let mut stride = header.dtype().item_size() as isize;
    let mut axes: Vec<Axis> = header.shape().iter().map(|length| Axis { length: *length, stride: 0 }).collect();
    let enter = |axis: &mut Axis| {
        axis.stride = stride;
        stride = stride.saturating_mul(axis.length as isize);
    };
    match header.order() {
        Order::C => axes.iter_mut().rev().for_each(enter),
        Order::Fortran => axes.iter_mut().for_each(enter),
    }
    enter_subarray(View { offset: 0, axes, element: false }, header.dtype())
}

/// A field of the items, of all of them.
pub(super) fn field<'h>(view: &View, dtype: &'h Dtype, path: &str) -> Option<(View, &'h Dtype)> {
    let Dtype::Record(record) = dtype else { return None };
    // A name may hold dots itself: the longest that leads to a field is meant.
    let mut fields: Vec<_> = record.fields().iter().filter(|field| path.starts_with(field.name())).collect();
    fields.sort_by_key(|field| std::cmp::Reverse(field.name().len()));
    fields.into_iter().find_map(|field| {
        let view = View { offset: view.offset + field.offset(), ..view.clone() };
        let (view, dtype) = enter_subarray(view, field.dtype());
        match path.get(field.name().len()..) {
            Some("") => Some((view, dtype)),
            Some(rest) => self::field(&view, dtype, rest.strip_prefix('.')?),
            None => None,
        }
    })
}

fn enter_subarray(mut view: View, mut dtype: &Dtype) -> (View, &Dtype) {
    while let Dtype::Subarray(array) = dtype {
        let mut stride = array.item_size();
        for length in array.shape() {
            stride = stride.checked_div(*length).unwrap_or(0);
            view.axes.push(Axis { length: *length, stride: stride as isize });
        }
        dtype = array.base();
    }
    (view, dtype)
}

/// The names of the fields, for whoever mistyped one.
pub(super) fn names(dtype: &Dtype) -> String {
    match dtype {
        Dtype::Record(record) => {
            let names: Vec<_> = record.fields().iter().take(20).map(|field| format!("'{}'", field.name())).collect();
            format!("it has {}", names.join(", "))
        }
        _ => format!("its dtype is {dtype}, which has none"),
    }
}
