using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Tests.Lab;

/// <summary>A running API server, a typed client and a raw one.</summary>
internal sealed class ApiServerGiven : IAsyncDisposable
{
    private ApiServerGiven(LabApiServer server)
    {
        Server = server;
        Client = NewClient();
        Raw = new HttpClient { BaseAddress = server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
    }

    public LabApiServer Server { get; }

    public Kubernetes Client { get; }

    public HttpClient Raw { get; }

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<ApiServerGiven> Running(LabApiServerOptions? options = null) =>
        new(await LabApiServer.StartAsync(options ?? new LabApiServerOptions(), Cancellation));

    /// <summary>Another client of the administrator's.</summary>
    public Kubernetes NewClient() => new(KubernetesClientConfiguration.BuildConfigFromConfigFile(new MemoryStream(Encoding.UTF8.GetBytes(Server.Kubeconfig))));

    public static V1Pod Pod(string name, string? node = null, Action<V1Pod>? more = null)
    {
        var pod = new V1Pod
        {
            Metadata = new() { Name = name, NamespaceProperty = "default" },
            Spec = new()
            {
                NodeName = node,
                Containers =
                [
                    new() { Name = "c", Image = "busybox:1.36", Resources = new() { Limits = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["nvidia.com/gpu"] = new("1") } } },
                ],
            },
        };
        more?.Invoke(pod);
        return pod;
    }

    public static V1Binding Binding(string pod, string node, Action<V1ObjectMeta>? more = null)
    {
        var binding = new V1Binding { Metadata = new() { Name = pod, NamespaceProperty = "default" }, Target = new() { Kind = "Node", Name = node } };
        more?.Invoke(binding.Metadata);
        return binding;
    }

    public Task<V1Pod> Create(V1Pod pod) => Client.CoreV1.CreateNamespacedPodAsync(pod, "default", cancellationToken: Cancellation);

    public Task<V1Pod> Read(string pod) => Client.CoreV1.ReadNamespacedPodAsync(pod, "default", cancellationToken: Cancellation);

    /// <summary>Sends JSON as it is written here; returns the status code and the answer.</summary>
    public async Task<(int Code, JsonNode? Body)> Send(string method, string path, string? body = null, string type = "application/json", string? accept = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(type));
        if (accept is not null)
            request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await Raw.SendAsync(request, Cancellation);
        var text = await response.Content.ReadAsStringAsync(Cancellation);
        return ((int)response.StatusCode, text.Length == 0 ? null : JsonNode.Parse(text));
    }

    /// <summary>The code and message of the refusal that an action meets.</summary>
    public static async Task<(int Code, string Message)> Refusal(Func<Task> action)
    {
        var refused = await Assert.ThrowsAsync<HttpOperationException>(action);
        return ((int)refused.Response.StatusCode, JsonNode.Parse(refused.Response.Content)!["message"]!.GetValue<string>());
    }

    /// <summary>Reads the events of a watch as they come; ends when the server ends the watch.</summary>
    public async IAsyncEnumerable<(string Type, JsonNode Object)> Watch(string path, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using var response = await Raw.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (!response.IsSuccessStatusCode)
            throw new HttpRequestException(await response.Content.ReadAsStringAsync(cancellation), null, response.StatusCode);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(cancellation));
        while (await lines.ReadLineAsync(cancellation) is { } line)
        {
            var change = JsonNode.Parse(line)!;
            yield return (change["type"]!.GetValue<string>(), change["object"]!);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Raw.Dispose();
        Client.Dispose();
        await Server.DisposeAsync();
    }
}
