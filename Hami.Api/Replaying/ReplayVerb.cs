using System.CommandLine;
using Hami.Api.Commands;
using Hami.Domain.Replaying;

namespace Hami.Api.Replaying;

/// <summary><c>hami-api replay</c>: the cluster as it was.</summary>
internal static class ReplayVerb
{
    public static Command Command()
    {
        var at = MomentFlag.Create("--at", "The moment to show; now when not given.", TimeProvider.System.GetUtcNow);
        var node = new Option<string?>("--node") { Description = "Only this node." };
        return LogVerb.Create("replay", "Show the cluster as it was: nodes, cards, who held what, and who waited for what.", [at, node], async asked =>
        {
            var (moment, name) = (asked.Parsed.GetValue(at), asked.Parsed.GetValue(node));
            var position = await asked.History.PositionAtAsync(moment, asked.CancellationToken);
            var picture = ClusterPicture.Of(await asked.History.AtAsync(position, asked.CancellationToken), moment, name);
            if (name is not null && picture.Nodes.Count == 0)
            {
                await asked.Error.WriteLineAsync($"The log knows no node {name} at {LogVerb.Moment(moment)}.");
                return ExitCode.No;
            }
            if (asked.Json)
                LogVerb.WriteJson(asked.Output, picture);
            else
                Print(asked.Output, picture);
            return ExitCode.Fine;
        });
    }

    private static void Print(TextWriter output, ClusterPicture picture)
    {
        output.WriteLine($"The cluster at {LogVerb.Moment(picture.At)}, event {picture.Position}{(picture.Policy is { } p ? $"; policies {p.NodePolicy} over nodes, {p.GpuPolicy} over cards" : "")}.");
        var cards = LogVerb.Table("Node", "Card", "Model", "Memory MiB", "Compute %", "Slots", "State", "Held by");
        foreach (var (node, card) in picture.Nodes.SelectMany(n => n.Cards.Select(c => (n.Name, c))))
        {
            cards.Row(
                node, card.Uuid, card.Model, $"{card.UsedMemoryMiB} of {card.MemoryMiB}", $"{card.UsedCores} of {card.Cores}", $"{card.UsedSlots} of {card.Slots}",
                State(card), string.Join('\n', card.Holders.Select(Holder)));
        }
        LogVerb.Write(output, cards);
        if (picture.Waiting.Count == 0)
        {
            output.WriteLine("No pod waits.");
            return;
        }
        var waiting = LogVerb.Table("Waits", "Since", "Why");
        foreach (var pod in picture.Waiting)
            waiting.Row($"{pod.Namespace}/{pod.Pod}", LogVerb.Moment(pod.Since), pod.Why);
        LogVerb.Write(output, waiting);
    }

    private static string State(CardPicture card) =>
        !card.IsRegistered ? "gone" : !card.Healthy ? "unhealthy" : card.Cordoned ? "cordoned" : card.Mode;

    private static string Holder(HeldShare share) =>
        $"{share.Namespace}/{share.Pod} {share.Container}: {share.MemoryMiB} MiB, {share.Cores} %{(share.Mig is { } mig ? $", {mig}" : "")}, {share.Phase.ToString().ToLowerInvariant()}";
}
