//! A component's types in words, to be compared with the contract's.

use wasmtime_environ::component::{
    ComponentTypes, InterfaceType, TypeFuncIndex, TypeResourceTableIndex, TypeTupleIndex,
};

/// Tells the contract's resource `event` from others.
type IsEvent<'a> = &'a dyn Fn(TypeResourceTableIndex) -> bool;

/// A function: `(string) -> bool`. None for what the contract has nothing of.
pub(super) fn function(types: &ComponentTypes, function: TypeFuncIndex, is_event: IsEvent<'_>) -> Option<String> {
    let function = &types[function];
    if function.async_ {
        return None;
    }
    let parameters = tuple(types, function.params, is_event)?;
    let results = tuple(types, function.results, is_event)?;
    Some(if results.is_empty() { format!("({parameters})") } else { format!("({parameters}) -> {results}") })
}

fn tuple(types: &ComponentTypes, tuple: TypeTupleIndex, is_event: IsEvent<'_>) -> Option<String> {
    let spelled: Option<Vec<String>> = types[tuple].types.iter().map(|item| value(types, item, is_event)).collect();
    Some(spelled?.join(", "))
}

fn value(types: &ComponentTypes, of: &InterfaceType, is_event: IsEvent<'_>) -> Option<String> {
    let spell = |of: &InterfaceType| value(types, of, is_event);
    let or_nothing = |of: &Option<InterfaceType>| of.as_ref().map_or_else(|| Some("_".to_owned()), spell);
    Some(match of {
        InterfaceType::Bool => "bool".to_owned(),
        InterfaceType::U8 => "u8".to_owned(),
        InterfaceType::U32 => "u32".to_owned(),
        InterfaceType::U64 => "u64".to_owned(),
        InterfaceType::S64 => "s64".to_owned(),
        InterfaceType::Float64 => "f64".to_owned(),
        InterfaceType::String => "string".to_owned(),
        InterfaceType::List(list) => format!("list<{}>", spell(&types[*list].element)?),
        InterfaceType::Tuple(of) => format!("tuple<{}>", tuple(types, *of, is_event)?),
        InterfaceType::Option(option) => format!("option<{}>", spell(&types[*option].ty)?),
        InterfaceType::Result(result) => {
            let result = &types[*result];
            format!("result<{}, {}>", or_nothing(&result.ok)?, or_nothing(&result.err)?)
        }
        InterfaceType::Record(record) => {
            let field = |field: &wasmtime_environ::component::RecordField| {
                spell(&field.ty).map(|spelled| format!("{}: {spelled}", field.name))
            };
            let fields: Option<Vec<String>> = types[*record].fields.iter().map(field).collect();
            format!("record{{{}}}", fields?.join(", "))
        }
        InterfaceType::Variant(variant) => {
            let case = |(name, payload): (&String, &Option<InterfaceType>)| match payload {
                Some(payload) => spell(payload).map(|spelled| format!("{name}({spelled})")),
                None => Some(name.clone()),
            };
            let cases: Option<Vec<String>> = types[*variant].cases.iter().map(case).collect();
            format!("variant{{{}}}", cases?.join(", "))
        }
        InterfaceType::Enum(names) => {
            let names: Vec<&str> = types[*names].names.iter().map(String::as_str).collect();
            format!("enum{{{}}}", names.join(", "))
        }
        InterfaceType::Own(table) if is_event(*table) => "own<event>".to_owned(),
        InterfaceType::Borrow(table) if is_event(*table) => "borrow<event>".to_owned(),
        _ => return None,
    })
}
