//! The rules that keep the properties. A test takes one guard out at a time, and the checker must then find a property that fails.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The store swaps only over the expected version.
    ExpectedVersion,
    /// A lease that lasts is another node's.
    OthersLease,
    /// A lease is taken over by the store's exact time, not by an estimate. Without it, estimates are late by two ticks.
    ExactTime,
    /// A lease is confirmed before the grant is sent, if time has passed.
    Confirmation,
    /// After a takeover, the last holder has some time to write.
    LastWrite,
    /// A rotation does not replace a newer one.
    NewerRotation,
    /// A rotation does not replace an ending.
    Ended,
    /// A lease in doubt is released by a write over whatever the record holds.
    Fence,
    /// A node that does not know of its lease reads the record before it releases.
    ReadBeforeRelease,
    /// A node adopts no older record.
    NoOlderRecord,
    /// A node writes its newer record to a store that was set back.
    BringForward,
    /// Tokens that arrive after a sign-out are revoked.
    RevokeLateTokens,
    /// A sign-out revokes what it found in the store, not what the node knew.
    RevokeWhatWasFound,
}
