namespace Hami.Lab.Scheduler;

/// <summary>Why one node does not take a pod.</summary>
/// <param name="Texts">Each is counted by itself.</param>
/// <param name="IsFinal">No removal of other pods could help (kube-scheduler: UnschedulableAndUnresolvable).</param>
/// <param name="CuredBy">What may make the node take the pod after all.</param>
internal sealed record Refusal(IReadOnlyList<string> Texts, bool IsFinal, Happenings CuredBy)
{
    public static Refusal Final(string text, Happenings curedBy) => new([text], IsFinal: true, curedBy);

    public static Refusal ForNow(string text, Happenings curedBy) => new([text], IsFinal: false, curedBy);
}
