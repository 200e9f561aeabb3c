using System.Text.Json.Nodes;
using Hami.Domain.Protocol;
using Hami.Tests.Given;
using k8s;
using k8s.Models;

namespace Hami.Tests.Plumbing;

/// <summary>Whatever is posted, the answer is one clear sentence, nothing changes and the process lives.</summary>
public sealed class AnsweringMalformedRequests
{
    [Fact]
    [Trait("Hami", "case 88")]
    public async Task Every_endpoint_answers_nonsense_with_a_sentence_and_goes_on()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1);
        var before = await scene.ColumnAsync("select type from hami.mt_events order by seq_id");
        var deep = string.Concat(Enumerable.Repeat("[", 5000));
        string[] nonsense = ["", "null", "[]", "\"x\"", "{", "{}", deep, "{\"Pod\":5}", "{\"request\":7}", "{\"query\":7}", "\0\u0001", new string('a', 100_000)];

        foreach (var path in new[] { "filter", "bind", "webhook", "graphql" })
        {
            foreach (var body in nonsense)
            {
                var (status, answer) = await scene.PostRawAsync(path, body);
                Assert.True(status is 200 or 400, $"{path} answered {status} to {body[..Math.Min(body.Length, 40)]}: {answer}");
                Assert.True(Sentence(path, answer).Length > 10, $"{path} gave no reason to {body[..Math.Min(body.Length, 40)]}: {answer}");
            }
        }
        Assert.Equal(before, await scene.ColumnAsync("select type from hami.mt_events order by seq_id"));
    }

    [Fact]
    [Trait("Hami", "case 38")]
    public async Task A_register_annotation_that_cannot_be_read_keeps_the_cards_known_before()
    {
        await using var scene = await ControlPlaneScene.StartAsync(nodes: 1, cards: 2);
        var before = (await scene.QueryAsync("{ eventCount nodes { items { devices { uuid } } } }")).ToJsonString();

        string[] unreadable = ["not json", "[null]", "[]", """[{"id":"GPU-n1-0","devmem":-5}]"""];
        foreach (var (said, annotation) in unreadable.Index())
        {
            await scene.Kubernetes.CoreV1.PatchNodeAsync(
                new V1Patch(
                    new { metadata = new { annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [HamiKeys.NodeRegister] = annotation } } },
                    V1Patch.PatchType.MergePatch),
                "n1");
            await ControlPlaneScene.UntilAsync(() => Task.FromResult(scene.Log.Split("keeps the cards known before").Length > said + 1), () => $"{annotation}\n{scene.Log}");
            Assert.Equal(before, (await scene.QueryAsync("{ eventCount nodes { items { devices { uuid } } } }")).ToJsonString());
        }
        await scene.CreatePodAsync("p1");
        Assert.NotNull((await scene.FilterAsync("p1", "n1"))["NodeNames"]);
    }

    private static string Sentence(string path, string answer) => path switch
    {
        "webhook" => JsonNode.Parse(answer)!["response"]!["status"]!["message"]!.GetValue<string>(),
        "graphql" => JsonNode.Parse(answer)!["errors"]![0]!["message"]!.GetValue<string>(),
        _ => JsonNode.Parse(answer)!["Error"]!.GetValue<string>(),
    };
}
