using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>Webhooks over real HTTPS, with the envelope a real server posts.</summary>
public sealed class ApiServerAdmission
{
    private const string ToHami = """[{"op":"replace","path":"/spec/schedulerName","value":"hami-scheduler"},{"op":"add","path":"/metadata/annotations","value":{"seen":"yes"}}]""";

    [Fact]
    public async Task A_mutating_webhook_sees_what_a_real_server_sends_and_changes_the_pod()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(ToHami));
        await Register(lab, hook);
        var pod = await lab.Create(Pod("p"));
        Assert.Equal("hami-scheduler", pod.Spec.SchedulerName);
        Assert.Equal("yes", pod.Metadata.Annotations["seen"]);

        var (path, agent, review) = Assert.Single(hook.Calls);
        Assert.Equal(("/webhook?timeout=10s", "kube-apiserver-admission"), (path, agent));
        Assert.Equal(["kind", "apiVersion", "request"], review.AsObject().Select(p => p.Key));
        var request = review["request"]!.AsObject();
        Assert.Equal(
            ["uid", "kind", "resource", "requestKind", "requestResource", "name", "namespace", "operation", "userInfo", "object", "oldObject", "dryRun", "options"],
            request.Select(p => p.Key));
        Assert.Equal("""{"group":"","version":"v1","resource":"pods"}""", request["resource"]!.ToJsonString());
        Assert.Equal(("CREATE", "p", "default"), ((string)request["operation"]!, (string)request["name"]!, (string)request["namespace"]!));
        var seen = request["object"]!;
        Assert.Equal("Pod", (string)seen["kind"]!);
        // Defaults are there, what only a stored object has is not.
        Assert.Equal("default-scheduler", (string)seen["spec"]!["schedulerName"]!);
        Assert.Equal("1", (string)seen["spec"]!["containers"]![0]!["resources"]!["requests"]!["nvidia.com/gpu"]!);
        Assert.Null(seen["metadata"]!["uid"]);
        Assert.Equal("CreateOptions", (string)request["options"]!["kind"]!);
    }

    [Fact]
    public async Task A_denial_reaches_the_client_in_the_webhooks_words()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => new JsonObject { ["allowed"] = false, ["status"] = new JsonObject { ["code"] = 403, ["message"] = "no card is that large", ["reason"] = "Forbidden" } });
        await Register(lab, hook);
        Assert.Equal((403, "admission webhook \"vgpu.hami.io\" denied the request: no card is that large"), await Refusal(() => lab.Create(Pod("p"))));
        Assert.Equal(404, (await Refusal(() => lab.Read("p"))).Code);
    }

    [Fact]
    public async Task A_denial_without_a_code_is_a_bad_request()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => new JsonObject { ["allowed"] = false });
        await Register(lab, hook, kind: "Validating");
        Assert.Equal((400, "admission webhook \"vgpu.hami.io\" denied the request without explanation"), await Refusal(() => lab.Create(Pod("p"))));
    }

    [Theory]
    [InlineData("Ignore", true)]
    [InlineData("Fail", false)]
    public async Task A_webhook_that_is_away_matters_only_if_its_failure_does(string policy, bool created)
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(null));
        await Register(lab, hook, w => w["clientConfig"]!["url"] = "https://127.0.0.1:1/webhook", policy: policy);
        await AssertCreated(lab, created, "failed calling webhook \"vgpu.hami.io\": failed to call webhook: Post \"https://127.0.0.1:1/webhook?timeout=10s\"");
    }

    [Fact]
    public async Task A_certificate_of_another_authority_or_for_another_name_is_not_trusted()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(null));
        await using var other = await Hook.Answering(_ => Allow(null));
        await Register(lab, hook, w => w["clientConfig"]!["caBundle"] = other.CaBundle);
        await AssertCreated(lab, created: false, "failed to call webhook");
        await using var lab2 = await Running();
        await Register(lab2, hook, w => w["clientConfig"]!["url"] = hook.Url.Replace("127.0.0.1", "localhost", StringComparison.Ordinal));
        await AssertCreated(lab2, created: false, "failed to call webhook");
        Assert.Empty(hook.Calls);
    }

    [Fact]
    public async Task Selectors_and_rules_decide_who_is_asked()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(null));
        await Register(lab, hook, w =>
        {
            w["namespaceSelector"] = JsonNode.Parse("""{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"NotIn","values":["kube-system"]}]}""");
            w["objectSelector"] = JsonNode.Parse("""{"matchExpressions":[{"key":"hami.io/webhook","operator":"NotIn","values":["ignore"]}]}""");
        });
        await lab.Create(Pod("ignored", more: p => p.Metadata.Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["hami.io/webhook"] = "ignore" }));
        await lab.Client.CoreV1.CreateNamespacedPodAsync(Pod("system", more: p => p.Metadata.NamespaceProperty = "kube-system"), "kube-system", cancellationToken: Cancellation);
        await lab.Client.CoreV1.CreateNamespacedConfigMapAsync(new() { Metadata = new() { Name = "m" } }, "default", cancellationToken: Cancellation);
        Assert.Empty(hook.Calls);
        await lab.Create(Pod("asked"));
        await lab.Send("PATCH", "/api/v1/namespaces/default/pods/asked", """{"metadata":{"labels":{"a":"b"}}}""", "application/merge-patch+json");
        Assert.Single(hook.Calls);
    }

    [Fact]
    public async Task A_dry_run_says_that_it_is_one()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(ToHami));
        await Register(lab, hook);
        var pod = await lab.Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default", dryRun: "All", cancellationToken: Cancellation);
        Assert.Equal("hami-scheduler", pod.Spec.SchedulerName);
        Assert.True((bool)hook.Calls.Single().Review["request"]!["dryRun"]!);
    }

    [Fact]
    public async Task A_webhook_too_slow_for_its_own_limit_has_failed()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(null), delay: TimeSpan.FromSeconds(5));
        await Register(lab, hook, w => w["timeoutSeconds"] = 1);
        await AssertCreated(lab, created: false, "context deadline exceeded");
    }

    [Fact]
    public async Task A_condition_in_CEL_is_refused_rather_than_ignored()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ => Allow(null));
        var (code, status) = await TryRegister(lab, hook, w => w["matchConditions"] = JsonNode.Parse("""[{"name":"x","expression":"true"}]"""));
        Assert.Equal(422, code);
        Assert.Contains("the lab's API server does not evaluate CEL matchConditions", (string)status!["message"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Removing_the_result_annotations_of_an_update_works_as_on_creation()
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(review => Allow(
            review["request"]!["object"]!["metadata"]!["annotations"]?["hami.io/vgpu-node"] is null ? null : """[{"op":"remove","path":"/metadata/annotations/hami.io~1vgpu-node"}]"""));
        await Register(lab, hook, w => w["rules"]![0]!["operations"] = new JsonArray("CREATE", "UPDATE"));
        await lab.Create(Pod("p"));
        var (_, pod) = await lab.Send("PATCH", "/api/v1/namespaces/default/pods/p", """{"metadata":{"annotations":{"hami.io/vgpu-node":"forged","mine":"stays"}}}""", "application/merge-patch+json");
        Assert.Equal("""{"mine":"stays"}""", pod!["metadata"]!["annotations"]!.ToJsonString());
        Assert.NotNull(hook.Calls[^1].Review["request"]!["oldObject"]);
    }

    [Theory]
    [InlineData("IfNeeded", 2)]
    [InlineData("Never", 1)]
    public async Task A_webhook_may_look_again_at_what_others_changed_after_it(string policy, int calls)
    {
        await using var lab = await Running();
        await using var first = await Hook.Answering(_ => Allow(null));
        await using var second = await Hook.Answering(_ => Allow("""[{"op":"add","path":"/metadata/labels","value":{"late":"yes"}}]"""));
        await Register(lab, first, w => w["reinvocationPolicy"] = policy);
        await Register(lab, second, name: "zzz");
        Assert.Equal("yes", (await lab.Create(Pod("p"))).Metadata.Labels["late"]);
        Assert.Equal((calls, 1), (first.Calls.Count, second.Calls.Count));
    }

    [Fact]
    public async Task What_comes_too_late_for_its_namespace_goes_with_it()
    {
        await using var lab = await Running();
        await lab.Client.CoreV1.CreateNamespaceAsync(new() { Metadata = new() { Name = "team" } }, cancellationToken: Cancellation);
        await using var hook = await Hook.Answering(_ => Allow(null));
        hook.Meanwhile = () => lab.Client.CoreV1.DeleteNamespaceAsync("team", cancellationToken: Cancellation);
        await Register(lab, hook, w => w["rules"]![0]!["resources"] = new JsonArray("secrets"), kind: "Validating");
        await lab.Client.CoreV1.CreateNamespacedSecretAsync(new() { Metadata = new() { Name = "late" } }, "team", cancellationToken: Cancellation);
        Assert.Single(hook.Calls);
        Assert.Empty((await lab.Client.CoreV1.ListNamespacedSecretAsync("team", cancellationToken: Cancellation)).Items);
    }

    [Theory]
    [InlineData("Mutating")]
    [InlineData("Validating")]
    public async Task What_a_webhook_wants_to_be_said_is_said(string kind)
    {
        await using var lab = await Running();
        await using var hook = await Hook.Answering(_ =>
        {
            var response = Allow(null);
            response["warnings"] = new JsonArray("mind the card");
            return response;
        });
        await Register(lab, hook, kind: kind);
        using var pod = new StringContent("""{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}""", Encoding.UTF8, "application/json");
        using var created = await lab.Raw.PostAsync("/api/v1/namespaces/default/pods", pod, Cancellation);
        Assert.Equal(["299 - \"mind the card\""], created.Headers.GetValues("Warning"));
    }

    private static JsonObject Allow(string? patch)
    {
        var response = new JsonObject { ["allowed"] = true };
        if (patch is not null)
            (response["patchType"], response["patch"]) = ("JSONPatch", Convert.ToBase64String(Encoding.UTF8.GetBytes(patch)));
        return response;
    }

    private static async Task AssertCreated(ApiServerGiven lab, bool created, string why)
    {
        if (created)
        {
            await lab.Create(Pod("p"));
            return;
        }
        var (code, message) = await Refusal(() => lab.Create(Pod("p")));
        Assert.Equal(500, code);
        Assert.Contains(why, message, StringComparison.Ordinal);
    }

    private static async Task Register(ApiServerGiven lab, Hook hook, Action<JsonObject>? more = null, string policy = "Fail", string kind = "Mutating", string name = "hami")
    {
        var (code, body) = await TryRegister(lab, hook, more, policy, kind, name);
        Assert.True(code == 201, body?.ToJsonString());
    }

    private static Task<(int Code, JsonNode? Body)> TryRegister(ApiServerGiven lab, Hook hook, Action<JsonObject>? more = null, string policy = "Fail", string kind = "Mutating", string name = "hami")
    {
        var webhook = new JsonObject
        {
            ["name"] = "vgpu.hami.io",
            ["admissionReviewVersions"] = new JsonArray("v1"),
            ["sideEffects"] = "None",
            ["failurePolicy"] = policy,
            ["clientConfig"] = new JsonObject { ["url"] = hook.Url, ["caBundle"] = hook.CaBundle },
            ["rules"] = JsonNode.Parse("""[{"operations":["CREATE"],"apiGroups":[""],"apiVersions":["v1"],"resources":["pods"]}]"""),
        };
        more?.Invoke(webhook);
        var configuration = new JsonObject { ["metadata"] = new JsonObject { ["name"] = name }, ["webhooks"] = new JsonArray(webhook) };
        return lab.Send("POST", $"/apis/admissionregistration.k8s.io/v1/{kind.ToLowerInvariant()}webhookconfigurations", configuration.ToJsonString());
    }

    /// <summary>A webhook with an authority of its own, valid for 127.0.0.1 only.</summary>
    private sealed class Hook : IAsyncDisposable
    {
        private readonly WebApplication _app;

        private Hook(WebApplication app, string caBundle) => (_app, CaBundle) = (app, caBundle);

        public string CaBundle { get; }

        public string Url => $"{_app.Urls.Single()}/webhook";

        public List<(string Path, string Agent, JsonNode Review)> Calls { get; } = [];

        /// <summary>What happens elsewhere while the webhook thinks.</summary>
        public Func<Task> Meanwhile { get; set; } = () => Task.CompletedTask;

        public static async Task<Hook> Answering(Func<JsonNode, JsonObject> answer, TimeSpan delay = default)
        {
            using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var authority = new CertificateRequest("CN=hami-ca", authorityKey, HashAlgorithmName.SHA256);
            authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            var (from, to) = (TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddHours(1));
            using var ca = authority.CreateSelfSigned(from, to);
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=hami-webhook", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddIpAddress(IPAddress.Loopback);
            request.CertificateExtensions.Add(names.Build());
            using var signed = request.Create(ca, from, to, [1, 2, 3, 4]);
            using var withKey = signed.CopyWithPrivateKey(key);
            var certificate = X509CertificateLoader.LoadPkcs12(withKey.Export(X509ContentType.Pkcs12), null);

            var builder = WebApplication.CreateEmptyBuilder(new());
            builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.UseHttps(certificate)));
            var app = builder.Build();
            var hook = new Hook(app, Convert.ToBase64String(Encoding.UTF8.GetBytes(ca.ExportCertificatePem())));
            app.Run(async http =>
            {
                var review = (await JsonNode.ParseAsync(http.Request.Body))!;
                lock (hook.Calls)
                    hook.Calls.Add(($"{http.Request.Path}{http.Request.QueryString}", http.Request.Headers.UserAgent.ToString(), review));
                await Task.Delay(delay, http.RequestAborted);
                await hook.Meanwhile();
                var response = answer(review);
                response["uid"] = review["request"]!["uid"]!.DeepClone();
                await http.Response.WriteAsync(new JsonObject { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response }.ToJsonString());
            });
            await app.StartAsync(Cancellation);
            return hook;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }
}
