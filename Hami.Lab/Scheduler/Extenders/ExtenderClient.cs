using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using k8s.Models;

namespace Hami.Lab.Scheduler;

/// <summary>Speaks to one extender as kube-scheduler does. Every call throws <see cref="ExtenderException"/> when there is no usable answer.</summary>
internal sealed class ExtenderClient : IDisposable
{
    // The answers' names are Go-cased on the wire, but both sides read them in any case.
    private static readonly JsonSerializerOptions AnyCase = new() { PropertyNameCaseInsensitive = true };

    private readonly HttpClient _http;
    private readonly string _url;
    private readonly HashSet<string> _managed;

    public ExtenderClient(ExtenderOptions options)
    {
        Options = options;
        _url = options.Url.ToString().TrimEnd('/');
        _managed = [.. options.ManagedResources];
        _http = new(Handler(options)) { Timeout = options.HttpTimeout };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("Go-http-client/1.1");
    }

    public ExtenderOptions Options { get; }

    /// <summary>Whether the pod asks anything the extender manages; an extender that manages nothing in particular sees all pods.</summary>
    public bool IsInterested(V1Pod pod) =>
        _managed.Count == 0
        || (pod.Spec.InitContainers ?? []).Concat(pod.Spec.Containers).Any(c => Asks(c.Resources?.Limits) || Asks(c.Resources?.Requests));

    /// <summary>Which of the nodes fit the pod.</summary>
    public async Task<(IReadOnlyList<string> Fitting, FilterAnswer Answer)> Filter(V1Pod pod, IReadOnlyCollection<V1Node> nodes, CancellationToken cancellationToken)
    {
        var answer = await Post<FilterAnswer>(Options.FilterVerb!, ExtenderBodies.Nodes(pod, nodes, Options.NodeCacheCapable), cancellationToken);
        if (!string.IsNullOrEmpty(answer.Error))
            throw new ExtenderException(answer.Error);
        var fitting = Options.NodeCacheCapable && answer.NodeNames is not null ? answer.NodeNames : [.. (answer.Nodes?.Items ?? []).Select(n => n.Metadata.Name)];
        var strangers = fitting.ToHashSet(StringComparer.Ordinal);
        strangers.ExceptWith(nodes.Select(n => n.Metadata.Name));
        return strangers.FirstOrDefault() is { } stranger
            ? throw new ExtenderException($"extender \"{_url}\" claims a filtered node \"{stranger}\" which is not found in the input node list")
            : (fitting, answer);
    }

    /// <summary>How well the extender likes each of the nodes that fit, 0 to 10.</summary>
    public Task<IReadOnlyList<HostPriority>> Prioritize(V1Pod pod, IReadOnlyCollection<V1Node> nodes, CancellationToken cancellationToken) =>
        Post<IReadOnlyList<HostPriority>>(Options.PrioritizeVerb!, ExtenderBodies.Nodes(pod, nodes, Options.NodeCacheCapable), cancellationToken);

    /// <summary>Has the extender bind the pod.</summary>
    public async Task Bind(V1Pod pod, string node, CancellationToken cancellationToken)
    {
        var answer = await Post<BindAnswer>(Options.BindVerb!, ExtenderBodies.Bind(pod, node), cancellationToken);
        if (!string.IsNullOrEmpty(answer.Error))
            throw new ExtenderException(answer.Error);
    }

    /// <summary>Which nodes would help the pod, and whom it would cost, of those the scheduler has in mind.</summary>
    public async Task<IReadOnlyDictionary<string, MetaVictims>> Preempt(
        V1Pod pod, IReadOnlyDictionary<string, IReadOnlyList<PodRecord>> victims, IReadOnlyDictionary<string, V1Pod>? whole, CancellationToken cancellationToken)
    {
        var answer = await Post<PreemptAnswer>(Options.PreemptVerb!, ExtenderBodies.Victims(pod, victims, whole), cancellationToken);
        return answer.NodeNameToMetaVictims ?? new Dictionary<string, MetaVictims>(StringComparer.Ordinal);
    }

    public void Dispose() => _http.Dispose();

    private bool Asks(IDictionary<string, ResourceQuantity>? quantities) => quantities is not null && quantities.Keys.Any(_managed.Contains);

    private static SocketsHttpHandler Handler(ExtenderOptions options)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        if (options.ClientCertificatePem is { } certificate)
            handler.SslOptions.ClientCertificates = [X509Certificate2.CreateFromPem(certificate, options.ClientKeyPem)];
        if (options.CaPem is { } authority)
        {
            handler.SslOptions.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.ImportFromPem(authority);
            return handler;
        }
#pragma warning disable CA5359, MA0039 // kube-scheduler does the same when it is given no authority.
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359, MA0039
        return handler;
    }

    private async Task<TAnswer> Post<TAnswer>(string verb, byte[] body, CancellationToken cancellationToken)
    {
        var url = $"{_url}/{verb}";
        try
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _http.PostAsync(new Uri(url), content, cancellationToken);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new ExtenderException($"failed {verb} with extender at URL {url}, code {(int)response.StatusCode}");
            var text = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return JsonSerializer.Deserialize<TAnswer>(text, AnyCase)
                ?? throw new ExtenderException($"The extender at {url} answered null.");
        }
        catch (HttpRequestException e)
        {
            throw new ExtenderException($"Post \"{url}\": {Words(e)}", e);
        }
        catch (JsonException e)
        {
            throw new ExtenderException($"The answer of the extender at {url} is not JSON: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ExtenderException($"Post \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)", e);
        }
    }

    // As Go's client puts it, where a user is likely to meet it.
    private string Words(HttpRequestException e) => e switch
    {
        { InnerException: SocketException { SocketErrorCode: SocketError.ConnectionRefused } } => $"dial tcp {Options.Url.Host}:{Options.Url.Port}: connect: connection refused",
        { HttpRequestError: HttpRequestError.SecureConnectionError } => $"tls: {e.InnerException?.Message ?? e.Message}",
        { HttpRequestError: HttpRequestError.ResponseEnded } => "EOF",
        _ => e.Message,
    };
}
