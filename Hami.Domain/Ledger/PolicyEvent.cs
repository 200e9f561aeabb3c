using Hami.Domain.Placing.Fragmentation;

namespace Hami.Domain.Ledger;

/// <summary>What has happened to the rules of placement. The stream is <see cref="Streams.Policy"/>.</summary>
/// <remarks>Stored for ever: add a field with a default, never rename or repurpose one.</remarks>
public abstract record PolicyEvent
{
    /// <summary>Pods without an annotation of their own are placed by another policy from now on.</summary>
    /// <param name="NodePolicy">Over nodes, such as <c>binpack</c>.</param>
    /// <param name="GpuPolicy">Over the cards of a node, such as <c>spread</c>.</param>
    /// <param name="NodePolicyBefore">Null the first time.</param>
    /// <param name="By">Who changed it: the process that was started with these values.</param>
    public sealed record PolicyChanged(string NodePolicy, string GpuPolicy, string? NodePolicyBefore, string? GpuPolicyBefore, string By) : PolicyEvent;

    /// <summary>Another typical workload is in force for the policy <c>fragmentation</c>.</summary>
    /// <param name="Mix">Which kinds of pods come, and how often.</param>
    /// <param name="CardsByModel">How many cards of each model the cluster had: rare ones are kept for those who need them.</param>
    /// <param name="Asks">Placed pods it was learned from; 0 when an admin gave it.</param>
    /// <param name="Source">Where it is from, in a sentence.</param>
    public sealed record WorkloadMixLearned(WorkloadMix Mix, IReadOnlyDictionary<string, int> CardsByModel, long Asks, string Source) : PolicyEvent;

    private PolicyEvent() { }
}
