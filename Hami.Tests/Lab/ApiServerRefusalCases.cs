using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>What a real server refuses, field by field: hundreds of requests that a user gets wrong, each with the answer a real one gave or gives by its source.</summary>
/// <remarks>
/// <c>ApiServerRefusalCases.jsonl</c> has one case a line. <c>from</c> says where the answer is from: <c>1.20</c> was answered by a kube-apiserver of that version whose
/// words are still the same, <c>1.36</c> is what the source of that version says where the words or the rule have changed since. <c>begins</c> marks a message that goes
/// on with something no one can foresee. Nothing here changes the server, so one serves them all.
/// </remarks>
public sealed class ApiServerRefusalCases(ApiServerRefusalCases.Lab shared) : IClassFixture<ApiServerRefusalCases.Lab>
{
    private static readonly Dictionary<string, JsonNode> Known = Read().ToDictionary(c => (string)c["name"]!, StringComparer.Ordinal);

    public static TheoryData<string> Cases => [.. Known.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_request_is_refused_as_a_real_server_refuses_it(string name)
    {
        var wanted = Known[name];
        var (code, status) = await shared.Given.Send((string)wanted["method"]!, (string)wanted["path"]!, (string?)wanted["body"], (string)wanted["type"]!);
        var message = (string?)status!["message"] ?? "";
        Assert.Equal((string?)wanted["message"], (bool?)wanted["begins"] is true ? message[..Math.Min(message.Length, ((string)wanted["message"]!).Length)] : message);
        Assert.Equal(((int)wanted["status"]!, (string?)wanted["reason"]), (code, (string?)status["reason"]));
        // Each cause is also there by itself, for clients that put it beside the field.
        if (wanted["fields"] is JsonArray fields)
            Assert.Equal(fields.Select(f => (string?)f), status["details"]!["causes"]!.AsArray().Select(c => $"{c!["reason"]} {c["field"]}").Distinct(StringComparer.Ordinal));
    }

    private static IEnumerable<JsonNode> Read([CallerFilePath] string here = "") =>
        File.ReadLines(Path.ChangeExtension(here, "jsonl")).Select(line => JsonNode.Parse(line)!);

    /// <summary>One server with the few objects that the cases are about.</summary>
    public sealed class Lab : IAsyncLifetime
    {
        internal ApiServerGiven Given { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Given = await Running();
            foreach (var (path, body) in Objects)
            {
                var (code, answer) = await Given.Send("POST", path, body);
                Assert.True(code is 201, $"{path}: {answer}");
            }
        }

        public ValueTask DisposeAsync() => Given.DisposeAsync();

        private static readonly (string Path, string Body)[] Objects =
        [
            ("/api/v1/namespaces", """{"metadata":{"name":"rules"}}"""),
            ("/api/v1/namespaces/rules/configmaps", """{"metadata":{"name":"frozen"},"immutable":true,"data":{"a":"b"}}"""),
            ("/api/v1/namespaces/rules/secrets", """{"metadata":{"name":"sealed"},"immutable":true,"data":{"a":"Yg=="}}"""),
            ("/apis/coordination.k8s.io/v1/namespaces/rules/leases", """{"metadata":{"name":"held"},"spec":{}}"""),
            ("/api/v1/namespaces/rules/resourcequotas", """{"metadata":{"name":"kept"},"spec":{"hard":{"services":"10"}}}"""),
            ("/api/v1/nodes", """{"metadata":{"name":"rules-n"},"spec":{"providerID":"x"}}"""),
            ("/apis/node.k8s.io/v1/runtimeclasses", """{"metadata":{"name":"rules-rc"},"handler":"a"}"""),
            ("/api/v1/namespaces/rules/pods",
                """{"metadata":{"name":"here"},"spec":{"activeDeadlineSeconds":100,"tolerations":[{"key":"k","operator":"Exists"}],"containers":[{"name":"c","image":"i"}]}}"""),
        ];
    }
}
