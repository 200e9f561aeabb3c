namespace Hami.Lab.ApiServer;

/// <summary>How the stand-in API server is started.</summary>
public sealed record LabApiServerOptions
{
    /// <summary>TCP port on 127.0.0.1; 0 takes a free one.</summary>
    public int Port { get; init; }

    /// <summary>The write-ahead log's file, made when missing; null keeps everything in memory only.</summary>
    public string? StorePath { get; init; }

    /// <summary>The clock that stamps objects and ends watches.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>How many changes of each resource a watch or an exact list can go back to; older ones answer 410 Gone.</summary>
    public int HistoryWindow { get; init; } = 10_000;

    /// <summary>Whether a watch from before the history is answered 410 at once, as older servers did, and not by an ERROR event in the stream.</summary>
    public bool RefuseOldWatches { get; init; }
}
