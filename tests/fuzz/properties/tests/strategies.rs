//! Strategies that build nearly valid input out of words.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes that print as text where they can.
#[derive(Clone)]
pub(super) struct Input(pub(super) Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

pub(super) type Inputs = BoxedStrategy<Input>;

/// Joins up to `most` of the words, sometimes with random bytes between them.
pub(super) fn words(words: &'static [&'static str], most: usize) -> Inputs {
    let word = select(words).prop_map(|word| word.as_bytes().to_vec());
    vec(prop_oneof![9 => word, 1 => vec(any::<u8>(), 0..4)], 0..most)
        .prop_map(|words| Input(words.concat()))
        .boxed()
}

pub(super) fn behind(first: &'static [&'static str], rest: Inputs) -> Inputs {
    let first = select(first).prop_map(|first| first.as_bytes().to_vec());
    (first, rest).prop_map(|(first, rest)| Input([first, rest.0].concat())).boxed()
}

/// Joins one word of each list, and leaves some out.
pub(super) fn any_of(lists: &'static [&'static [&'static str]], separator: &'static str) -> Inputs {
    let choice =
        |list: &&'static [&'static str]| prop_oneof![7 => select(*list).prop_map(Some), 1 => Just(None)];
    let choices: Vec<_> = lists.iter().map(choice).collect();
    choices
        .prop_map(move |chosen| {
            Input(chosen.into_iter().flatten().collect::<Vec<_>>().join(separator).into_bytes())
        })
        .boxed()
}

/// Disguises one in `plain` + 1 of the characters of `text`: escaped once or twice, or in the fullwidth form. Between characters
/// it sometimes inserts bytes that some readers drop.
pub(super) fn disguised(text: &'static str, plain: u32) -> Inputs {
    let disguise = |c: char| {
        let hex = format!("{:02x}", u32::from(c));
        let (high, low) = hex.split_at(1);
        let escaped = |digit: &str| format!("%3{digit}");
        let forms = [format!("%{hex}"), format!("%{}", hex.to_uppercase()), format!("%25{hex}")];
        let halves = [format!("%{}{low}", escaped(high)), format!("%{high}%{:02x}", low.as_bytes()[0])];
        let fullwidth = char::from_u32(u32::from(c) + 0xfee0).expect("a fullwidth form").to_string();
        let fullwidth = fullwidth.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let forms: Vec<_> = forms.into_iter().chain(halves).chain([fullwidth]).collect();
        let dropped =
            select(&["%09", "%0a", "%00", "%20", ";x", "%3bx", "%3f", "%23", "%e2%80%8b", "%c2%ad"][..]);
        let dropped = prop_oneof![6 => Just(""), 1 => dropped];
        (prop_oneof![plain => Just(c.to_string()), 1 => select(forms)], dropped)
            .prop_map(|(disguised, dropped)| format!("{disguised}{dropped}"))
    };
    let disguised: Vec<_> = text.chars().map(disguise).collect();
    disguised.prop_map(|parts| Input(parts.concat().into_bytes())).boxed()
}

const ODD_VALUES: &[&str] = &["null", "7", "[]", "\"\"", "\"\\u0000\"", "1e999"];

/// Builds a JSON object that has most of the fields, mostly with a value of its list.
pub(super) fn object(fields: &'static [(&'static str, &'static [&'static str])]) -> Inputs {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, values)| {
            let value = prop_oneof![15 => select(*values), 1 => select(ODD_VALUES)];
            prop_oneof![15 => value.prop_map(Some), 1 => Just(None)]
                .prop_map(move |value| value.map(|value| format!("\"{name}\":{value}")))
        })
        .collect();
    fields
        .prop_map(|fields| {
            let fields: Vec<_> = fields.into_iter().flatten().collect();
            Input(format!("{{{}}}", fields.join(",")).into_bytes())
        })
        .boxed()
}
