namespace Hami.Bench.History;

/// <summary>What was measured.</summary>
/// <param name="FillSeconds">To simulate the history and to write it; null for a database that was kept.</param>
/// <param name="StartSeconds">From the start of a hami-api process until it has folded the log, from its last checkpoint on.</param>
/// <param name="LoadSeconds">The journal's part of that, in a process that is warm.</param>
/// <param name="CountEventsPerSecond">The floor: rows of the log counted.</param>
/// <param name="CopyEventsPerSecond">The floor of reading: the same rows out of the database by COPY, thrown away.</param>
/// <param name="ReadEventsPerSecond">A part of the log read and made into events.</param>
/// <param name="FoldEventsPerSecond">The same, folded into rows that are thrown away.</param>
/// <param name="EventBytes">Bytes of the log on disk for each allocation, indexes included.</param>
/// <param name="ReadModelBytes">Bytes of the read models, likewise.</param>
/// <param name="CheckpointBytes">Bytes of the checkpoints, likewise.</param>
internal sealed record HistoryReport(
    long Allocations, long Events, double Days, int Live, int Waiting, double? FillSeconds, double StartSeconds, double LoadSeconds, double RebuildEventsPerSecond, double RebuildSeconds,
    double CountEventsPerSecond, double CopyEventsPerSecond, double ReadEventsPerSecond, double FoldEventsPerSecond,
    Spans Page, Spans Explain, Spans ClusterAt, Spans Who, long EventBytes, long ReadModelBytes, long CheckpointBytes, string Postgres, string Fsync, string SynchronousCommit);
