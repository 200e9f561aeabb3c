using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.Cluster;

/// <summary>The control plane as its users see it: is it ready, and what does GraphQL say.</summary>
/// <param name="token">Who asks; null where nobody is asked who they are.</param>
public sealed class ControlPlane(Uri address, string? token = null) : IDisposable
{
    private readonly HttpClient _http = new()
    {
        BaseAddress = address,
        // Longer than the control plane itself takes before it says that a question takes too long.
        Timeout = TimeSpan.FromSeconds(60),
        DefaultRequestHeaders = { Authorization = token is null ? null : new("Bearer", token) },
    };

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
    public async Task<JsonObject> QueryAsync(string query, CancellationToken ct, object? variables = null)
    {
        using var answer = await _http.PostAsJsonAsync(GraphQL, new { query, variables }, ct);
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(ct)) as JsonObject;
        if (body?["errors"] is JsonArray { Count: > 0 } errors)
            throw new InvalidOperationException($"GraphQL refused the query: {errors[0]?["message"]}");
        return body?["data"] as JsonObject ?? throw new InvalidOperationException($"GraphQL answered {(int)answer.StatusCode} without data.");
    }

    public void Dispose() => _http.Dispose();
}
