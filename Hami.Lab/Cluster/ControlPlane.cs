using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.Cluster;

/// <summary>The control plane as its users see it: is it ready, and what does GraphQL say.</summary>
public sealed class ControlPlane(Uri address) : IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = address, Timeout = TimeSpan.FromSeconds(10) };

    public Uri GraphQL { get; } = new(address, "graphql");

    public Uri GraphiQL { get; } = new(address, "graphql/ui");

    /// <summary>Whether it has read its log and reconciled with the cluster.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri("readyz", UriKind.Relative), ct);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (TaskCanceledException) when (!ct.IsCancellationRequested)
        {
            return false; // the client's own timeout
        }
    }

    /// <summary>Asks GraphQL and returns <c>data</c>; throws with GraphQL's own words when it refuses.</summary>
    public async Task<JsonObject> QueryAsync(string query, CancellationToken ct)
    {
        using var answer = await _http.PostAsJsonAsync(GraphQL, new { query }, ct);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(ct)) as JsonObject;
        if (body?["errors"] is JsonArray { Count: > 0 } errors)
            throw new InvalidOperationException($"GraphQL refused the query: {errors[0]?["message"]}");
        return body?["data"] as JsonObject ?? throw new InvalidOperationException($"GraphQL answered {(int)answer.StatusCode} without data.");
    }

    public void Dispose() => _http.Dispose();
}
