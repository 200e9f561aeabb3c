namespace Hami.Lab.ApiServer;

/// <summary>One committed write: what was there before, what is there after; one of them may be missing.</summary>
internal sealed record Change(long Revision, Stored? Before, Stored? After);
