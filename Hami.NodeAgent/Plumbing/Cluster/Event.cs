namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A core/v1 Event, as <c>kubectl describe</c> shows it.</summary>
internal sealed record Event(
    EventMeta Metadata, ObjectReference InvolvedObject, string Reason, string Message, EventSource Source, DateTimeOffset? FirstTimestamp, DateTimeOffset? LastTimestamp, int? Count = 1,
    string Type = "Warning")
{
    // Kubernetes takes no longer ones.
    private const int LongestMessage = 1024;

    /// <summary>A warning that has happened once, now.</summary>
    public static Event Warning(EventMeta called, ObjectReference about, string reason, string sentence, string host, DateTimeOffset now) => new(
        called, about, reason, sentence.Length <= LongestMessage ? sentence : sentence[..LongestMessage], new("hami-node-agent", host), now, now);
}

/// <param name="ResourceVersion">Of the event that is replaced; null for a new one.</param>
internal sealed record EventMeta(string Name, string Namespace, string? ResourceVersion = null);

internal sealed record ObjectReference(string Kind, string Name, string? Namespace, string? Uid, string ApiVersion = "v1");

internal sealed record EventSource(string Component, string Host);
