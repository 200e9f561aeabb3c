namespace Hami.Domain.Ledger;

/// <summary>Names of the log's streams.</summary>
public static class Streams
{
    /// <summary>The epoch nodes start with; a later epoch carries the state of the one before.</summary>
    public const int FirstEpoch = 0;

    private const string NodePrefix = "node/";
    private const string PodPrefix = "pod/";
    private const string QuotaPrefix = "quota/";

    /// <summary>The one stream of the rules of placement.</summary>
    public const string Policy = "policy/cluster";

    public static string Node(string name, int epoch = FirstEpoch) => $"{NodePrefix}{name}/{epoch}";

    public static string Pod(string uid) => PodPrefix + uid;

    /// <summary>True for the stream of a pod.</summary>
    public static bool IsOfPod(string stream) => stream.StartsWith(PodPrefix, StringComparison.Ordinal);

    public static string Quota(string @namespace) => QuotaPrefix + @namespace;

    /// <summary>The node a stream belongs to; null for another kind of stream.</summary>
    public static string? NodeOf(string stream) =>
        stream.StartsWith(NodePrefix, StringComparison.Ordinal) ? stream[NodePrefix.Length..stream.LastIndexOf('/')] : null;
}
