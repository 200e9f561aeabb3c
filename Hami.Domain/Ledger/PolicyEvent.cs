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

    private PolicyEvent() { }
}
