namespace Hami.Lab.Scheduler;

/// <summary>What one try to place a pod came to.</summary>
internal abstract record Verdict
{
    public sealed record Goes(string Node) : Verdict;

    /// <summary>No node takes the pod.</summary>
    /// <param name="Sentence">Why, in kube-scheduler's words.</param>
    /// <param name="CuredBy">What may help; nothing when only another try can tell.</param>
    /// <param name="Nominated">The node it is promised, empty for none any more, null for no change.</param>
    /// <param name="Chosen">The pods to remove for it; null when none.</param>
    public sealed record Waits(string Sentence, Happenings CuredBy, string? Nominated, Candidate? Chosen = null) : Verdict;

    private Verdict()
    {
    }
}
