using System.Collections.Concurrent;
using GraphQL;

namespace Hami.Api.Access;

/// <summary>One look into history, for the access log.</summary>
internal sealed record Look(string Field, string? Namespace, DateTimeOffset? From, DateTimeOffset? To);

/// <summary>The one who asks, for the time of one request.</summary>
public sealed class Asker
{
    /// <summary>The error code of what somebody may not see.</summary>
    public const string Forbidden = "FORBIDDEN";

    private readonly ConcurrentQueue<Look> _looks = new();

    /// <summary>Who it is; nobody who sees anything before the gate has let them in.</summary>
    public Viewer Viewer { get; internal set; } = new("nobody", new(AllNamespaces: false, Nodes: false, new HashSet<string>(StringComparer.Ordinal)));

    /// <summary>What they may see.</summary>
    public Scope Scope => Viewer.Scope;

    /// <summary>Position in the log after which a subscription goes on; null to begin now.</summary>
    internal long? ResumeAfter { get; set; }

    internal IEnumerable<Look> Looks => _looks;

    /// <summary>Keeps in mind that history was asked for.</summary>
    internal void Note(string field, string? @namespace = null, DateTimeOffset? from = null, DateTimeOffset? to = null) => _looks.Enqueue(new(field, @namespace, from, to));

    /// <summary>Refuses a namespace that is asked for by its name and may not be seen.</summary>
    internal void MustSee(string? @namespace)
    {
        if (@namespace is not null && !Scope.Sees(@namespace))
            throw new ExecutionError($"You may not see the namespace {@namespace}: it takes the right to list its pods.") { Code = Forbidden };
    }

    /// <summary>Refuses a node or card that is asked for by its name where none may be seen.</summary>
    internal void MustSeeNodes(string? node)
    {
        if (node is not null && !Scope.Nodes)
            throw new ExecutionError("You may not see nodes and their cards: it takes the right to list nodes.") { Code = Forbidden };
    }

    /// <summary>Refuses what concerns the cluster as a whole.</summary>
    internal void MustSeeCluster(string what)
    {
        if (!Scope.IsCluster)
            throw new ExecutionError($"You may not see {what}: it takes the rights to list nodes, and pods in all namespaces.") { Code = Forbidden };
    }
}
