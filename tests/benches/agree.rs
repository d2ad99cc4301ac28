//! Rows are compared only if they do the same work: the same documents, as JSON, in the same order.

use super::measure::Bench;
use serde_json::Value;
use std::collections::HashMap;

/// What our documents have on top of everybody's: the id that makes a redelivery overwrite itself.
const ID_FIELD: &str = "paddle_id";

/// Compares what each row makes with the documents of the row it names. A row that cannot run here is left out.
pub(crate) fn check(benches: &[Bench]) -> Result<(), Vec<String>> {
    eprintln!("comparing the documents of all rows");
    let mut known: HashMap<String, Vec<Value>> = HashMap::new();
    let mut differences = Vec::new();
    for bench in benches {
        let (Some(same_as), Ok(work)) = (&bench.same_as, &bench.work) else { continue };
        let name = bench.rows[0].name.clone();
        let made: Result<Vec<Value>, String> =
            work.documents().and_then(|documents| documents.iter().map(|document| parse(document)).collect());
        match (made, known.get(same_as)) {
            (Err(reason), _) => differences.push(format!("{name}: {reason}")),
            (Ok(made), _) if *same_as == name => match made.is_empty() {
                true => differences.push(format!("{name}: no documents")),
                false => drop(known.insert(name, made)),
            },
            (Ok(made), Some(expected)) => differences.extend(difference(&name, same_as, &made, expected)),
            (Ok(_), None) => {} // What it would be compared with cannot run here.
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

fn parse(document: &[u8]) -> Result<Value, String> {
    let mut value: Value = serde_json::from_slice(document).map_err(|error| format!("not JSON: {error}"))?;
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove(ID_FIELD);
    }
    Ok(value)
}

fn difference(name: &str, base: &str, made: &[Value], expected: &[Value]) -> Option<String> {
    if made.len() != expected.len() {
        return Some(format!("{name}: {} documents, {base} makes {}", made.len(), expected.len()));
    }
    let (at, (made, expected)) =
        made.iter().zip(expected).enumerate().find(|(_, (made, expected))| made != expected)?;
    Some(format!("{name}: document {at} is\n  {made}\n{base} makes\n  {expected}"))
}
