//! The names of what is done to the disk, and the words for it in messages.

/// What is done to the disk. Up to [`Step::SyncLedger`], in the order in which one window passes
/// through the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Make a folder below `.staging`.
    StageFolder,
    /// Create and write a downloaded zip below `.staging`.
    StageZip,
    /// Make a zip that is kept durable.
    SyncZip,
    /// Create and write an unpacked file below `.staging`.
    StageData,
    /// Make durable what an unpacked file holds so far, so that little is left for the end.
    FlushData,
    /// Make an unpacked file durable.
    SyncData,
    /// Make the names in a folder of unpacked files durable.
    SyncDataFolder,
    /// Move an answer's folder, or its zip, into the window's, while both are below `.staging`.
    PlacePart,
    /// Create and write `manifest.json` below `.staging`.
    StageManifest,
    /// Make `manifest.json` durable.
    SyncManifest,
    /// Create and write `SHA256SUMS` below `.staging`.
    StageSums,
    /// Make `SHA256SUMS` durable.
    SyncSums,
    /// Make the names in the window's folder durable, while it is still below `.staging`.
    SyncFolder,
    /// Make the folder of a job or a date.
    MakeParent,
    /// Make the name of that folder durable.
    SyncGrandparent,
    /// Rename the window's folder into place.
    Publish,
    /// Make the window's name in the date's folder durable.
    SyncParent,
    /// Write a line at the ledger's end.
    Append,
    /// Make the ledger's lines durable.
    SyncLedger,
    /// Create the ledger's file.
    CreateLedger,
    /// Make durable the name of a ledger, or of what lies beside it, or that it is gone.
    SyncState,
    /// Write and rename a checkpoint of the ledger; not flushed, since it is no state.
    ReplaceCheckpoint,
    /// Reserve space beside a ledger; not flushed, since it is no state.
    KeepReserve,
    /// Release that space, so that a failure on a full disk can still be recorded.
    GiveReserve,
    /// Write the acknowledgement beside a ledger.
    Acknowledge,
    /// Cut a torn last line off the ledger.
    CutLedger,
    /// List what is published.
    ListArchive,
    /// Read the manifest of a published folder that the ledger lacks, or look at its files.
    ReadPublished,
    /// Remove what is left below `.staging`, or has to go from the quarantine.
    Clean,
    /// Create and write a refused zip, or the reason, in the quarantine.
    StageRefused,
    /// Make it durable.
    SyncRefused,
    /// Rename it to the name under which it is kept.
    KeepRefused,
    /// Make that name durable.
    SyncQuarantine,
    /// Rename what is damaged, or does not belong, to its place in `.damaged`.
    SetAside,
    /// Make its new name durable, and that the old one is free.
    SyncAside,
    /// Write the file that says which archive this is, and move it into place.
    WriteIdentity,
    /// Make its name durable.
    SyncIdentity,
    /// Write an order about a hold beside a ledger.
    LeaveOrder,
    /// Write the mark of a prune beside a ledger, before it is announced.
    MarkPruning,
    /// Rename the sums of a folder whose data are let go of.
    RenameSums,
    /// Remove a data file that is let go of, or its part's folder.
    RemoveData,
    /// Make durable what is left of such a folder.
    SyncPruned,
    /// Remove the mark of a prune that is done.
    UnmarkPruning,
    /// Write a receipt into the archive.
    KeepReceipt,
    /// Make its name durable.
    SyncReceipts,
    /// Write the signature of a head into the archive.
    WriteSignature,
    /// Write the timestamp of a head into the archive.
    WriteTimestamp,
    /// Write a head into the archive.
    WriteHead,
    /// Make its name durable.
    SyncHeads,
    /// Keep the newest head beside the ledgers.
    NoteHead,
}

impl Step {
    /// The step in words, to follow "can't".
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::StageFolder | Self::MakeParent => "make the folder",
            Self::StageZip | Self::StageData | Self::StageManifest | Self::StageSums => "write",
            Self::SyncZip
            | Self::FlushData
            | Self::SyncData
            | Self::SyncManifest
            | Self::SyncSums
            | Self::SyncLedger => "flush to disk",
            Self::SyncDataFolder
            | Self::SyncFolder
            | Self::SyncGrandparent
            | Self::SyncParent
            | Self::SyncState
            | Self::SyncReceipts
            | Self::SyncHeads
            | Self::SyncPruned => "flush to disk the folder",
            Self::ReplaceCheckpoint => "replace",
            Self::Acknowledge | Self::KeepReserve => "write",
            Self::PlacePart | Self::Publish => "move into place",
            Self::Append => "append to",
            Self::CreateLedger => "create",
            Self::CutLedger => "cut a torn last line off",
            Self::ListArchive => "list",
            Self::ReadPublished => "read",
            Self::Clean | Self::GiveReserve => "remove",
            Self::StageRefused => "write",
            Self::SyncRefused => "flush to disk",
            Self::KeepRefused => "move into place",
            Self::SetAside => "move aside",
            Self::SyncQuarantine | Self::SyncIdentity | Self::SyncAside => {
                "flush to disk the folder"
            }
            Self::WriteIdentity
            | Self::LeaveOrder
            | Self::MarkPruning
            | Self::KeepReceipt
            | Self::WriteSignature
            | Self::WriteTimestamp
            | Self::WriteHead
            | Self::NoteHead => "write",
            Self::RenameSums => "rename",
            Self::RemoveData | Self::UnmarkPruning => "remove",
        }
    }
}
