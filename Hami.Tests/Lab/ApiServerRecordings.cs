using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>Conversations of kubectl and kube-scheduler with a real kube-apiserver 1.36, held again with the lab's.</summary>
/// <remarks>
/// <c>ApiServerRecordings.jsonl</c> has one exchange a line, in the order in which they were held. Lines without an answer put there what
/// controllers or an earlier life of the recorded cluster had made; only their status counts.
/// </remarks>
public sealed class ApiServerRecordings(ApiServerRecordings.Conversation conversation) : IClassFixture<ApiServerRecordings.Conversation>
{
    public static TheoryData<string> Flows => [.. Conversation.Recorded().Select(e => (string)e["flow"]!).Where(f => f is not "webhook").Distinct(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Flows))]
    public void A_recorded_flow_reads_the_same(string flow) =>
        Assert.True(conversation.Differences[flow].Count == 0, string.Join('\n', conversation.Differences[flow]));

    [Fact]
    public void A_webhook_is_asked_in_the_same_words()
    {
        foreach (var recorded in Conversation.Recorded().Where(e => e["review"] is not null).Select(e => e["review"]!["request"]!.AsObject()))
        {
            var pod = recorded["object"]!.DeepClone().AsObject();
            pod.Remove("kind");
            pod.Remove("apiVersion");
            var call = new AdmissionCall(Resources.Pods, "", (string)recorded["operation"]!, (string)recorded["namespace"]!, (string?)recorded["name"] ?? "",
                recorded["options"]!.DeepClone().AsObject(), dryRun: false) { Object = pod };
            var asked = AdmissionReviews.Make(call, "v1", "1")["request"]!.AsObject();
            // Whose request it is was the recorded cluster's affair.
            asked["userInfo"] = recorded["userInfo"]!.DeepClone();
            Assert.Equal([], ApiServerRecordingsComparison.Differences(recorded, asked));
        }
    }

    /// <summary>The whole conversation, held once.</summary>
    public sealed class Conversation : IAsyncLifetime
    {
        /// <summary>What reads differently, by flow; an empty list where all is the same.</summary>
        public Dictionary<string, List<string>> Differences { get; } = new(StringComparer.Ordinal);

        public async ValueTask InitializeAsync()
        {
            await using var lab = await Running();
            foreach (var exchange in Recorded().Where(e => e["review"] is null))
            {
                var flow = (string)exchange["flow"]!;
                if (!Differences.TryGetValue(flow, out var found))
                    Differences[flow] = found = [];
                found.AddRange((await Hold(lab, exchange)).Select(d => $"{exchange["method"]} {exchange["path"]}: {d}"));
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        internal static IEnumerable<JsonNode> Recorded([CallerFilePath] string here = "") =>
            File.ReadLines(Path.ChangeExtension(here, ".jsonl")).Select(line => JsonNode.Parse(line)!);

        private static async Task<IEnumerable<string>> Hold(ApiServerGiven lab, JsonNode exchange)
        {
            using var request = new HttpRequestMessage(new HttpMethod((string)exchange["method"]!), (string)exchange["path"]!);
            request.Headers.TryAddWithoutValidation("Accept", (string)exchange["accept"]!);
            if ((string?)exchange["body"] is { } body)
            {
                request.Content = new ByteArrayContent(Encoding.Latin1.GetBytes(body));
                request.Content.Headers.TryAddWithoutValidation("Content-Type", (string)exchange["type"]!);
            }
            using var response = await lab.Raw.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
            var type = response.Content.Headers.ContentType?.ToString();
            using var text = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
            if (exchange["watched"] is { } watched)
                return ApiServerRecordingsComparison.Differences(watched, await Bookmark(text));
            var answer = await text.ReadToEndAsync(Cancellation);
            if ((int)response.StatusCode != (int)exchange["status"]!)
                return [$"recorded {exchange["status"]}, here {(int)response.StatusCode} {answer}"];
            if ((string?)exchange["answered"] is { } recorded && recorded.Replace(" ", "", StringComparison.Ordinal) != type?.Replace(" ", "", StringComparison.Ordinal))
                return [$"recorded {recorded}, here {type}"];
            return exchange["answer"] is { } expected ? ApiServerRecordingsComparison.Differences(expected, JsonNode.Parse(answer)) : [];
        }

        // Which objects come before it depends on what else was in the cluster.
        private static async Task<JsonNode?> Bookmark(StreamReader events)
        {
            while (await events.ReadLineAsync(Cancellation) is { } line)
            {
                if (JsonNode.Parse(line) is { } happened && (string?)happened["type"] is "BOOKMARK")
                    return happened;
            }
            return null;
        }
    }
}
