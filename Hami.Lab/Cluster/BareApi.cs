using System.Net;
using System.Net.Http.Headers;
using System.Text;
using k8s;

namespace Hami.Lab.Cluster;

/// <summary>Requests without the client's objects, whose answers are mostly thrown away: thousands of nodes and pods would be work and memory for nothing.</summary>
internal sealed class BareApi(Kubernetes kubernetes)
{
    public const string Json = "application/json";
    public const string MergePatch = "application/merge-patch+json";
    public const string StrategicPatch = "application/strategic-merge-patch+json";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Sends and forgets the answer's body, unless it is kept or tells of a failure.</summary>
    public async Task<(HttpStatusCode Code, string Said)> Send(
        HttpMethod method, string path, string type, string body, CancellationToken cancellationToken, bool keep = false)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(Patience);
        using var content = new StringContent(body, Encoding.UTF8);
        content.Headers.ContentType = new MediaTypeHeaderValue(type);
        using var request = new HttpRequestMessage(method, new Uri(kubernetes.BaseUri, path)) { Content = content };
        using var answer = await Send(request, enough.Token);
        if (keep || !answer.IsSuccessStatusCode)
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync(enough.Token));
        await answer.Content.CopyToAsync(Stream.Null, enough.Token);
        return (answer.StatusCode, "");
    }

    /// <summary>An answer to be read as it comes.</summary>
    public async Task<HttpResponseMessage> Get(string path, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(kubernetes.BaseUri, path));
        return await Send(request, cancellationToken);
    }

    private async Task<HttpResponseMessage> Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (kubernetes.Credentials is { } credentials)
            await credentials.ProcessHttpRequestAsync(request, cancellationToken);
        return await kubernetes.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }
}
