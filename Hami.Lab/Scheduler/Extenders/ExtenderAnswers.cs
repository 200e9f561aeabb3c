namespace Hami.Lab.Scheduler;

/// <summary>What an extender answers to <c>filter</c>: the nodes that fit and why the others do not, or an error when it could not decide.</summary>
internal sealed record FilterAnswer(
    ExtenderNodeList? Nodes,
    IReadOnlyList<string>? NodeNames,
    IReadOnlyDictionary<string, string>? FailedNodes,
    IReadOnlyDictionary<string, string>? FailedAndUnresolvableNodes,
    string? Error);

/// <summary>Whole nodes as an extender hands them back; only their names matter to us.</summary>
internal sealed record ExtenderNodeList(IReadOnlyList<ExtenderNode>? Items);

internal sealed record ExtenderNode(ExtenderNodeMetadata Metadata);

internal sealed record ExtenderNodeMetadata(string Name);

/// <summary>One line of an extender's answer to <c>prioritize</c>: 0 to 10, more is better.</summary>
internal sealed record HostPriority(string Host, long Score);

/// <summary>What an extender answers to <c>bind</c>.</summary>
internal sealed record BindAnswer(string? Error);

/// <summary>What an extender answers to <c>preempt</c>: per node the pods that would have to go.</summary>
internal sealed record PreemptAnswer(IReadOnlyDictionary<string, MetaVictims>? NodeNameToMetaVictims);

internal sealed record MetaVictims(IReadOnlyList<MetaPod>? Pods, long NumPDBViolations);

internal sealed record MetaPod(string UID);

/// <summary>The extender could not be asked, or said that it could not decide; the pod is tried again after its back-off.</summary>
internal sealed class ExtenderException : Exception
{
    public ExtenderException(string message) : base(message)
    {
    }

    public ExtenderException(string message, Exception inner) : base(message, inner)
    {
    }

    public ExtenderException()
    {
    }
}
