using System.Text;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary>An explanation for people to read.</summary>
internal static class ExplainText
{
    public static string Of(PodExplanation pod)
    {
        var text = new StringBuilder();
        text.AppendLine($"Pod {pod.Namespace}/{pod.Pod} ({pod.PodUid}) {Words(pod.Standing)}, as of event {pod.Position}.");
        Section(text, "What happened", pod.Steps.Select(s => $"{LogVerb.Moment(s.At)}  event {s.Position}  {s.What}"));
        Section(text, "Why there", pod.WhyThere);
        Section(text, "Why not", pod.WhyNot);
        Section(
            text, "What would let it fit, each by itself",
            pod.WhyNot.Count > 0 && pod.WouldFit.Count == 0 ? ["Nothing of what is tried: less memory, compute or cards, other annotations, a larger quota, fewer cordons, other pods' end."] : pod.WouldFit);
        return text.ToString();
    }

    private static void Section(StringBuilder text, string title, IEnumerable<string> lines)
    {
        var all = lines.ToList();
        if (all.Count == 0)
            return;
        text.AppendLine().Append(title).AppendLine(":");
        foreach (var line in all)
            text.Append("  ").AppendLine(line);
    }

    private static string Words(PodStanding standing) => standing switch
    {
        PodStanding.Waiting => "waits for a node",
        PodStanding.Holding => "holds cards",
        PodStanding.Released => "has given its cards back",
        _ => "went away without having held any",
    };
}
